// This browser's own subscription to pages: asked for by a button, never by itself.

/** Whether this browser can be subscribed at all; a page that is not served over HTTPS cannot. */
export const canPush = () => 'serviceWorker' in navigator && 'PushManager' in window && 'Notification' in window;

function bytes(key: string): Uint8Array<ArrayBuffer> {
  const text = atob(key.replaceAll('-', '+').replaceAll('_', '/'));
  const out = new Uint8Array(new ArrayBuffer(text.length));
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** Subscribes this browser to the server with that key; what the server has to know of it. */
export async function subscribe(publicKey: string): Promise<string> {
  const registration = await navigator.serviceWorker.register('/push-worker.js');
  await navigator.serviceWorker.ready;
  // A subscription to another key, of an earlier installation, would be refused by the push service.
  await (await registration.pushManager.getSubscription())?.unsubscribe();
  const made = await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(publicKey) });
  const { endpoint, keys } = made.toJSON();
  return JSON.stringify({ endpoint, keys });
}
