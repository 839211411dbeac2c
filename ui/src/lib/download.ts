/** Hands a file to the browser, under a name that every system takes. */
export function saveFile(blob: Blob, name: string): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name.replace(/[^\w.-]+/g, "_");
  link.click();
  // The download has taken hold of the data by the next task.
  setTimeout(() => { URL.revokeObjectURL(url); }, 0);
}
