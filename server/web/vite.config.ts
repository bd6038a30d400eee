import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** All modules that `entry` needs; with `later` those that it fetches later, too. */
function reach(entry, later, getModuleInfo, all = new Set()) {
  if (all.has(entry)) return all;
  all.add(entry);
  const { importedIds, dynamicallyImportedIds } = getModuleInfo(entry);
  for (const id of later ? [...importedIds, ...dynamicallyImportedIds] : importedIds) reach(id, later, getModuleInfo, all);
  return all;
}
let shared;
/** What both pages need is one file, so that the technician's page is three: its own, this one, and a language. */
function chunk(id, { getModuleIds, getModuleInfo }) {
  if (!shared) {
    const [tech, noc] = ['tech.html', 'noc.html'].map((name) => [...getModuleIds()].find((one) => one.endsWith(`/${name}`)));
    const operations = reach(noc, true, getModuleInfo);
    shared = new Set([...reach(tech, false, getModuleInfo)].filter((one) => operations.has(one)));
  }
  return shared.has(id) ? 'shared' : undefined;
}

// Two entries: the operations page and the technician's. Nothing is inlined, so the page runs under `default-src 'self'`.
export default defineConfig({
  plugins: [svelte()],
  json: { stringify: true, namedExports: false },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { noc: 'noc.html', tech: 'tech.html' }, output: { manualChunks: chunk, experimentalMinChunkSize: 8_000 } },
  },
  server: { port: 5173, proxy: { '/api': 'http://127.0.0.1:8080', '^/a/': 'http://127.0.0.1:8080' } },
});
