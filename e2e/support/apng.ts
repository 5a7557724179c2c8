/**
 * Animated PNG out of screenshots: of each frame only what changed, so that minutes of a quiet page are small.
 *
 * Invariant: a program that knows no animation shows the first frame.
 *
 * Not here: taking the screenshots. They are what Chromium makes: 8 bits, RGB or RGBA, not interlaced, all of one size.
 */
import { crc32, deflateSync, inflateSync } from "node:zlib";

export interface Shot {
  readonly png: Buffer;
  /** How long it is seen. */
  readonly ms: number;
}

interface Image {
  readonly width: number;
  readonly height: number;
  /** RGB. */
  readonly pixels: Buffer;
}

interface Frame {
  readonly x: number;
  readonly y: number;
  readonly image: Image;
  ms: number;
}

const SIGNATURE = Buffer.from("89504e470d0a1a0a", "hex");
const RGB = 3;

export function animate(shots: readonly Shot[]): Buffer {
  const frames: Frame[] = [];
  let shown: Image | undefined;
  for (const { png, ms } of shots) {
    const image = decode(png);
    const changed = shown === undefined ? { x: 0, y: 0, image } : difference(shown, image);
    const last = frames.at(-1);
    if (changed !== undefined) frames.push({ ...changed, ms });
    else if (last !== undefined) last.ms += ms;
    shown = image;
  }
  const [first] = frames;
  if (first === undefined) throw new Error("there is no picture to animate");
  const header = numbers([4, first.image.width], [4, first.image.height], [1, 8], [1, 2], [1, 0], [1, 0], [1, 0]);
  const chunks = [chunk("IHDR", header), chunk("acTL", numbers([4, frames.length], [4, 0]))];
  let sequence = 0;
  for (const { x, y, image, ms } of frames) {
    const { width, height } = image;
    const place = numbers([4, sequence++], [4, width], [4, height], [4, x], [4, y], [2, ms], [2, 1000], [1, 0], [1, 0]);
    chunks.push(chunk("fcTL", place));
    const data = encode(image);
    if (image === first.image) chunks.push(chunk("IDAT", data));
    else chunks.push(chunk("fdAT", Buffer.concat([numbers([4, sequence++]), data])));
  }
  return Buffer.concat([SIGNATURE, ...chunks, chunk("IEND", Buffer.alloc(0))]);
}

/** The smallest rectangle that holds all that is different; undefined when nothing is. */
function difference(before: Image, after: Image): Omit<Frame, "ms"> | undefined {
  let [left, top, right, bottom] = [after.width, after.height, -1, -1];
  const stride = after.width * RGB;
  for (let y = 0; y < after.height; y++) {
    const row = after.pixels.subarray(y * stride, (y + 1) * stride);
    const old = before.pixels.subarray(y * stride, (y + 1) * stride);
    if (row.equals(old)) continue;
    const isOther = (byte: number, at: number): boolean => byte !== old[at];
    left = Math.min(left, Math.floor(row.findIndex(isOther) / RGB));
    right = Math.max(right, Math.floor(row.findLastIndex(isOther) / RGB));
    [top, bottom] = [Math.min(top, y), y];
  }
  if (right < 0) return undefined;
  const [width, height] = [right - left + 1, bottom - top + 1];
  const rows = Array.from({ length: height }, (_, row) => {
    const at = ((top + row) * after.width + left) * RGB;
    return after.pixels.subarray(at, at + width * RGB);
  });
  return { x: left, y: top, image: { width, height, pixels: Buffer.concat(rows) } };
}

/** Each row as it is, or as what differs from the row above: whichever is smaller for the whole. */
function encode({ width, height, pixels }: Image): Buffer {
  const stride = width * RGB;
  const [plain, up] = [Buffer.alloc((stride + 1) * height), Buffer.alloc((stride + 1) * height, 2)];
  for (let y = 0; y < height; y++) {
    plain[y * (stride + 1)] = 0;
    up[y * (stride + 1)] = 2;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      plain[y * (stride + 1) + 1 + x] = pixels[at] ?? 0;
      up[y * (stride + 1) + 1 + x] = (pixels[at] ?? 0) - (y === 0 ? 0 : (pixels[at - stride] ?? 0));
    }
  }
  const both = [plain, up].map((rows) => deflateSync(rows, { level: 9, memLevel: 9 }));
  return both.sort((a, b) => a.length - b.length)[0] ?? Buffer.alloc(0);
}

function decode(png: Buffer): Image {
  let [width, height, channels] = [0, 0, RGB];
  const data: Buffer[] = [];
  for (let at = SIGNATURE.length; at < png.length;) {
    const length = png.readUInt32BE(at);
    const body = png.subarray(at + 8, at + 8 + length);
    const name = png.toString("latin1", at + 4, at + 8);
    if (name === "IHDR")
      [width, height, channels] = [body.readUInt32BE(0), body.readUInt32BE(4), body[9] === 6 ? 4 : 3];
    if (name === "IDAT") data.push(body);
    at += length + 12;
  }
  return { width, height, pixels: unfiltered(inflateSync(Buffer.concat(data)), width * channels, channels) };
}

function unfiltered(rows: Buffer, stride: number, channels: number): Buffer {
  const height = rows.length / (stride + 1);
  const bytes = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)] ?? 0;
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      // beyond the first row and column everything is 0
      const isFirst = x < channels;
      const left = isFirst ? 0 : byteAt(bytes, at - channels);
      const corner = isFirst ? 0 : byteAt(bytes, at - stride - channels);
      const above = byteAt(bytes, at - stride);
      bytes[at] = byteAt(rows, y * (stride + 1) + 1 + x) + predicted(filter, { left, above, corner });
    }
  }
  if (channels === RGB) return bytes;
  return Buffer.from(bytes.filter((_, at) => at % 4 !== 3));
}

function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] ?? 0;
}

interface Neighbours {
  readonly left: number;
  readonly above: number;
  readonly corner: number;
}

/** PNG's filters, by number. */
function predicted(filter: number, { left, above, corner }: Neighbours): number {
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return Math.floor((left + above) / 2);
  if (filter !== 4) return 0;
  const guess = left + above - corner;
  const [toLeft, toAbove, toCorner] = [left, above, corner].map((it) => Math.abs(guess - it)) as [
    number,
    number,
    number,
  ];
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function chunk(name: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name, "latin1"), body]);
  return Buffer.concat([numbers([4, body.length]), named, numbers([4, crc32(named)])]);
}

/** Big-endian, each with its number of bytes. */
function numbers(...values: readonly (readonly [bytes: number, value: number])[]): Buffer {
  return Buffer.concat(
    values.map(([bytes, value]) => {
      const buffer = Buffer.alloc(bytes);
      buffer.writeUIntBE(value, 0, bytes);
      return buffer;
    }),
  );
}
