// Entry of the technician's page.
import { mount } from 'svelte';
import './css/tokens.css';
import './css/parts.css';
import { useEarly } from './api';
import { early } from './early';
import { speech } from './text.svelte';
import Tech from './Tech.svelte';

// The worker fetches everything once more to keep it; on a slow phone the page itself comes first.
function keepPage() { if ('serviceWorker' in navigator) void navigator.serviceWorker.register('/tech-worker.js', { scope: '/tech' }).catch(() => {}); }
useEarly(early);
await speech.ready;
mount(Tech, { target: document.getElementById('app')!, props: { begun: keepPage } });
