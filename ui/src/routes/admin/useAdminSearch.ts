import { useNavigate, useSearch } from "@tanstack/react-router";
import { readAdminSearch, type AdminSearch } from "../../lib/search.ts";

/** The filters of the page as they stand in its address, and the way to change them. */
export function useAdminSearch(): [AdminSearch, (change: Partial<AdminSearch>) => void] {
  const search = useSearch({ from: "/app/admin" });
  const navigate = useNavigate({ from: "/admin" });
  return [
    search,
    (change) => {
      void navigate({ search: (now) => readAdminSearch({ ...now, ...change }), replace: true, resetScroll: false });
    },
  ];
}
