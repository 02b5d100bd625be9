import { useMemo } from 'preact/hooks';
import { encode } from 'uqr';

interface QrCodeProps {
  readonly text: string;
  readonly label: string;
  /** Some hundred characters: on a larger square, with the least repetition. */
  readonly isLong?: boolean;
}

/** A text as a QR code, dark on light whatever the colours of the screen are. */
export function QrCode({ text, label, isLong = false }: QrCodeProps) {
  const code = useMemo(
    () => encode(text, { ecc: isLong ? 'L' : 'M', border: 4 }),
    [text, isLong],
  );
  const width = isLong ? 420 : 240;
  const dark = code.data.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x} ${y}h1v1h-1z`] : [])),
  );
  return (
    <svg
      class="qr"
      role="img"
      aria-label={label}
      width={width}
      viewBox={`0 0 ${code.size} ${code.size}`}
      shape-rendering="crispEdges"
    >
      <rect width={code.size} height={code.size} fill="#fff" />
      <path d={dark.join('')} fill="#000" />
    </svg>
  );
}
