// Entry of the technician's page.
import { mount } from 'svelte';
import './css/tokens.css';
import './css/parts.css';
import Tech from './Tech.svelte';

if ('serviceWorker' in navigator) void navigator.serviceWorker.register('/tech-worker.js', { scope: '/tech' }).catch(() => {});
mount(Tech, { target: document.getElementById('app')! });
