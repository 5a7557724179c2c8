/** The browser as the panel's machine. The page is at `<server>/panel/`, so the server's address is where it came from. */
import type { Machine } from "./store/machine.ts";

export function machineOfPage(): Machine {
  const { sessionStorage } = globalThis;
  return {
    baseUrl: new URL("..", globalThis.location.href).href.replace(/\/+$/, ""),
    fetch: (input, init) => globalThis.fetch(input, init),
    frame: (task) => {
      const id = requestAnimationFrame(task);
      // a hidden page draws nothing, and is behind when it comes back
      return () => cancelAnimationFrame(id);
    },
    after: (ms, task) => {
      const id = setTimeout(task, ms);
      return () => clearTimeout(id);
    },
    nowMs: () => Date.now(),
    memory: {
      get: (name) => sessionStorage.getItem(name) ?? undefined,
      set: (name, value) => {
        if (value === undefined) sessionStorage.removeItem(name);
        else sessionStorage.setItem(name, value);
      },
    },
  };
}
