const kLongestSide = 240;
const kMostBytes = 32 * 1024;
const kQualities = [0.7, 0.5, 0.3];

function toJpeg(canvas: HTMLCanvasElement, quality: number): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', quality));
}

function base64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

async function draw(file: Blob): Promise<HTMLCanvasElement> {
  const image = await createImageBitmap(file);
  const scale = Math.min(1, kLongestSide / Math.max(image.width, image.height));
  const canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = canvas.getContext('2d');
  if (context === null) throw new Error('this browser draws no pictures');
  // What is transparent would become black.
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  image.close();
  return canvas;
}

/**
 * A small JPEG of a picture, in base64url; undefined for what is no picture. Drawn anew, so nothing
 * of what a camera notes beside the picture is in it.
 */
export async function makeThumbnail(file: File): Promise<string | undefined> {
  if (!file.type.startsWith('image/')) return undefined;
  try {
    const canvas = await draw(file);
    for (const quality of kQualities) {
      const jpeg = await toJpeg(canvas, quality);
      if (jpeg !== null && jpeg.type === 'image/jpeg' && jpeg.size <= kMostBytes) {
        return base64Url(new Uint8Array(await jpeg.arrayBuffer()));
      }
    }
  } catch {
    // A picture that this browser can't read is a file all the same.
  }
  return undefined;
}
