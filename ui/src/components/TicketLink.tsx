import { safeUrl, ticketName } from "../lib/format.ts";

/** Where something is followed up: a link by what the ticket is called, or a key as it is. */
export function TicketLink({ text }: { text: string }) {
  const url = safeUrl(text);
  if (!url) return <span className="break-words" title={text}>{text}</span>;
  return <a href={url} title={text} target="_blank" rel="noreferrer" className="break-words text-primary underline underline-offset-2">{ticketName(url)}</a>;
}
