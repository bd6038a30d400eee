import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// Two entries: the operations page and the technician's. Nothing is inlined, so the page runs under `default-src 'self'`.
export default defineConfig({
  plugins: [svelte()],
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: { noc: 'noc.html', tech: 'tech.html' } },
  },
  server: { port: 5173, proxy: { '/api': 'http://127.0.0.1:8080', '^/a/': 'http://127.0.0.1:8080' } },
});
