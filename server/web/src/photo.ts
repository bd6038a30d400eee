// A photo made small on the phone before it is kept: no side longer than 1600, no more than 400 KiB, and nothing of the
// file but what is to be seen (no position, no serial number).
const SIDE = 1600, BYTES = 400 << 10;

/** The picture as a small JPEG; fails when the file is no picture. */
export async function shrink(file: Blob): Promise<ArrayBuffer> {
  const picture = await createImageBitmap(file);
  try {
    for (let side = SIDE; side >= 400; side = Math.round(side * 0.75)) {
      const scale = Math.min(1, side / Math.max(picture.width, picture.height));
      const canvas = document.createElement('canvas');
      canvas.width = Math.max(16, Math.round(picture.width * scale));
      canvas.height = Math.max(16, Math.round(picture.height * scale));
      canvas.getContext('2d')!.drawImage(picture, 0, 0, canvas.width, canvas.height);
      for (const quality of [0.85, 0.7, 0.5]) {
        const small = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', quality));
        if (small && small.type === 'image/jpeg' && small.size <= BYTES) return await small.arrayBuffer();
      }
    }
  } finally {
    picture.close();
  }
  throw new Error('too large');
}
