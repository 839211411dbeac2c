import { render } from "@testing-library/react";
import { expect, it } from "vitest";
import { Ansi } from "./Ansi.tsx";

it("shows coloured text and never makes markup of it", () => {
  const { container } = render(<Ansi text={'\u001b[31m<img src=x onerror="alert(1)">\u001b[39m & more'} />);
  expect(container.textContent).toBe('<img src=x onerror="alert(1)"> & more');
  expect(container.querySelector("img")).toBeNull();
  expect(container.querySelector("span")?.className).toBe("ansi-fg-1");
  expect(container.querySelectorAll("[style]")).toHaveLength(0);
});
