import type { TestState } from "@scaledtest/sdk";
import { CircleCheck, OctagonX, Zap, type LucideIcon } from "lucide-react";
import { Badge, type Tone } from "./Badge.tsx";

const LOOKS: Record<TestState, { icon: LucideIcon; tone: Tone; label: string }> = {
  healthy: { icon: CircleCheck, tone: "good", label: "Healthy" },
  flaky: { icon: Zap, tone: "warn", label: "Flaky" },
  broken: { icon: OctagonX, tone: "bad", label: "Broken" },
};

export const stateLabel = (state: TestState): string => LOOKS[state].label;

/** What a test is taken for. */
export function StateBadge({ state }: { state: TestState }) {
  const { icon, tone, label } = LOOKS[state];
  return <Badge tone={tone} icon={icon}>{label}</Badge>;
}
