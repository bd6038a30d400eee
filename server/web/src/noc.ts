// Entry of the operations page.
import { mount } from 'svelte';
import 'uplot/dist/uPlot.min.css';
import './css/tokens.css';
import './css/parts.css';
import { speech } from './text.svelte';
import App from './App.svelte';

await speech.ready;
mount(App, { target: document.getElementById('app')! });
