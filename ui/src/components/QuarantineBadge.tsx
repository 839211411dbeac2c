import type { QuarantineMode } from "@scaledtest/sdk";
import { CircleSlash, VolumeX } from "lucide-react";
import { formatAbsolute } from "../lib/format.ts";
import { Badge } from "./Badge.tsx";

export const modeLabel = (mode: QuarantineMode): string => (mode === "mute" ? "Muted" : "Skipped");

/** That a test is in quarantine. */
export function QuarantineBadge({ mode, expires }: { mode: QuarantineMode; expires: string }) {
  const label = modeLabel(mode);
  return (
    <Badge tone="accent" icon={mode === "mute" ? VolumeX : CircleSlash} title={`In quarantine until ${formatAbsolute(expires)}`}>
      {label}
      <span className="sr-only"> in quarantine</span>
    </Badge>
  );
}
