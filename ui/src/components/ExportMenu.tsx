import { useMutation } from "@tanstack/react-query";
import { ChevronDown, Download } from "lucide-react";
import { saveFile } from "../lib/download.ts";
import { buttonClass } from "./Button.tsx";
import { Popover, popoverItem } from "./Popover.tsx";
import { messageOf } from "./States.tsx";

export interface ExportFile {
  label: string;
  /** What it is good for. */
  note: string;
  /** What the file is called. */
  name: string;
  get: () => Promise<Blob>;
}

/** What is on the page as files, with the same filters. */
export function ExportMenu({ of, files }: { of: string; files: ExportFile[] }) {
  const download = useMutation({
    mutationFn: async (file: ExportFile) => { saveFile(await file.get(), file.name); },
  });
  return (
    <span className="inline-flex flex-wrap items-center gap-2">
      {download.isError && <span role="alert" className="text-[13px] text-failed">{messageOf(download.error)}</span>}
      <span role="status" className="sr-only">{download.isPending ? "Exporting" : download.isSuccess ? "Exported" : ""}</span>
      <Popover
        label={`Export ${of}`}
        triggerClass={buttonClass("plain", true)}
        panelClass="left-0 w-60 sm:right-0 sm:left-auto sm:w-64"
        trigger={
          <>
            <Download aria-hidden size={14} />
            {download.isPending ? "Exporting…" : "Export"}
            <ChevronDown aria-hidden size={13} />
          </>
        }
      >
        {(close) => (
          <ul aria-label="Formats">
            {files.map((file) => (
              <li key={file.label}>
                <button
                  type="button"
                  className={popoverItem}
                  disabled={download.isPending}
                  onClick={() => {
                    close();
                    download.mutate(file);
                  }}
                >
                  <span className="min-w-0 flex-1">
                    <span className="block font-medium">{file.label}</span>
                    <span className="block text-xs text-muted-foreground">{file.note}</span>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        )}
      </Popover>
    </span>
  );
}
