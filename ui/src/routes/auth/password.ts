const MIN_PASSWORD = 8;

/** What is wrong with a new password and its repetition; the server checks the rest. */
export function passwordProblem(password: string, repeated: string): string | undefined {
  if (password !== repeated) return "Passwords do not match";
  if (password.length < MIN_PASSWORD) return `The password needs at least ${String(MIN_PASSWORD)} characters`;
  return undefined;
}

/** Throws the problem, if there is one, as a form shows it. */
export function insist(problem: string | undefined): void {
  if (problem !== undefined) throw new Error(problem);
}
