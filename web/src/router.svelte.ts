// Addresses and pages. The address is the only state that two people can share, so everything worth sharing is in it.

import { matchRoute } from "./routes";

class Router {
  #url = $state.raw(new URL(location.href));
  route = $derived(matchRoute(this.#url.pathname));
  query = $derived(this.#url.searchParams);

  start(): void {
    history.scrollRestoration = "manual";
    addEventListener("popstate", (event) => {
      this.#url = new URL(location.href);
      const top = (event.state as { top?: number } | null)?.top ?? 0;
      requestAnimationFrame(() => scrollTo(0, top));
    });
    document.addEventListener("click", (event) => this.#follow(event));
  }

  go(href: string, { replace = false } = {}): void {
    const url = new URL(href, location.href);
    const samePage = url.pathname === this.#url.pathname;
    if (replace) {
      history.replaceState(history.state, "", url);
    } else {
      history.replaceState({ top: scrollY }, "");
      history.pushState({ top: 0 }, "", url);
      if (!samePage) scrollTo(0, 0);
    }
    this.#url = url;
  }

  /** Changes some of the address's parameters; an empty value removes one. */
  setQuery(changes: Record<string, string>, options = { replace: true }): void {
    const url = new URL(this.#url);
    for (const [name, value] of Object.entries(changes)) {
      if (value === "") url.searchParams.delete(name);
      else url.searchParams.set(name, value);
    }
    this.go(url.href, options);
  }

  /** Links are ordinary links: only a plain click on one of ours is handled here. */
  #follow(event: MouseEvent): void {
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    if (!link || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin)
      return;
    if (link.pathname.startsWith("/api/") || link.pathname.startsWith("/assets/")) return;
    if (link.hash !== "" && link.pathname === location.pathname) return;
    event.preventDefault();
    this.go(link.href);
  }
}

export const router = new Router();
