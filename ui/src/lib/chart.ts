/** A place on a chart, in its own units. */
export interface Place {
  x: number;
  y: number;
}

const round = (value: number) => Math.round(value * 100) / 100;

/**
 * A line through these places as the `d` of a path; undefined ones break it. A place alone between two gaps becomes a dot of no
 * length, which a round line cap makes visible.
 */
export function linePath(places: (Place | undefined)[]): string {
  let path = "";
  let pen = false;
  places.forEach((place, index) => {
    if (!place) {
      pen = false;
      return;
    }
    path += `${pen ? "L" : "M"}${String(round(place.x))} ${String(round(place.y))}`;
    if (!pen && !places[index + 1]) path += "h0";
    pen = true;
  });
  return path;
}

/** The same, closed down to `floor`: one area for each stretch without a gap. */
export function areaPath(places: (Place | undefined)[], floor: number): string {
  return stretches(places)
    .filter((stretch) => stretch.length > 1)
    .map((stretch) => {
      const [first, last] = [stretch[0], stretch.at(-1)] as [Place, Place];
      return `${linePath(stretch)}L${String(round(last.x))} ${String(floor)}L${String(round(first.x))} ${String(floor)}Z`;
    })
    .join("");
}

function stretches(places: (Place | undefined)[]): Place[][] {
  const all: Place[][] = [[]];
  for (const place of places) {
    if (place) all.at(-1)?.push(place);
    else if (all.at(-1)?.length !== 0) all.push([]);
  }
  return all;
}

/** The lower end of an axis of percentages: the fifty, eighty or ninety below the lowest, so that small drops are seen. */
export function percentFloor(values: number[]): number {
  const lowest = Math.min(100, ...values);
  return [90, 80, 50].find((floor) => lowest >= floor + 1) ?? 0;
}

/** The place of the element that is nearest to `share` (0 to 1) of the width, -1 when there is none. */
export function nearest(count: number, share: number): number {
  if (count === 0) return -1;
  return Math.max(0, Math.min(count - 1, Math.round(share * (count - 1))));
}

/** Which of `count` labels are shown so that at most `most` are: evenly, always the last. */
export function labelled(count: number, most: number): Set<number> {
  const step = Math.max(1, Math.ceil(count / most));
  const shown = new Set<number>();
  for (let index = count - 1; index >= 0; index -= step) shown.add(index);
  return shown;
}
