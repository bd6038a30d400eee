// Real URLs without a framework: the path is state, links are ordinary anchors, the server answers every page path with this page.

class Route {
  path = $state(location.pathname);
  search = $state(location.search);
  get query() { return new URLSearchParams(this.search); }

  constructor() {
    addEventListener('popstate', () => this.#read());
    document.addEventListener('click', (event) => this.#follow(event));
  }
  go(href: string, replace = false) {
    if (href === location.pathname + location.search) return;
    history[replace ? 'replaceState' : 'pushState'](null, '', href);
    this.#read();
    if (!replace) scrollTo(0, 0);
  }
  #read() {
    this.path = location.pathname;
    this.search = location.search;
  }
  #follow(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element | null)?.closest('a');
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.pathname.startsWith('/api/') || link.pathname.startsWith('/a/') || link.pathname === '/tech' || link.hash) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  }
}
export const route = new Route();

/** `/devices/:id` against a path: the named parts, or nothing. */
export function match(pattern: string, path: string): Record<string, string> | null {
  const want = pattern.split('/'), have = path.replace(/(.)\/$/, '$1').split('/');
  if (want.length !== have.length) return null;
  const parts: Record<string, string> = {};
  for (let i = 0; i < want.length; i++) {
    const w = want[i]!, h = have[i]!;
    if (w.startsWith(':')) parts[w.slice(1)] = decodeURIComponent(h);
    else if (w !== h) return null;
  }
  return parts;
}
