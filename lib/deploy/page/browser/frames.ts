/** Frames from scenes, files, videos and the camera, as the networks take them. */
import type { RgbImage } from '../../../data/types'

/** What the page shows and looks at. */
export interface Frame {
  readonly picture: CanvasImageSource
  readonly width: number
  readonly height: number
}

const scratch = document.createElement('canvas')

/** The pixels of a frame. */
export function pixelsOf({ picture, width, height }: Frame): RgbImage {
  scratch.width = width
  scratch.height = height
  const context = scratch.getContext('2d', { willReadFrequently: true })
  if (!context) throw new Error('this browser has no canvas to read pixels from')
  context.drawImage(picture, 0, 0, width, height)
  const { data } = context.getImageData(0, 0, width, height)
  const pixels = new Uint8Array(width * height * 3)
  for (let from = 0, to = 0; from < data.length; from += 4, to += 3) {
    pixels[to] = data[from]!
    pixels[to + 1] = data[from + 1]!
    pixels[to + 2] = data[from + 2]!
  }
  return { width, height, pixels }
}

/** The image of a URL, turned as its file says. */
export async function loadImage(url: string): Promise<Frame> {
  const image = new Image()
  image.src = url
  await image.decode()
  return { picture: image, width: image.naturalWidth, height: image.naturalHeight }
}

/** @throws Error in words for who chose the file */
export async function imageOfFile(file: File): Promise<Frame> {
  const url = URL.createObjectURL(file)
  try {
    return await loadImage(url)
  } catch {
    throw new Error(
      `${file.name}: expected an image that this browser can show, found another file or a damaged one`,
    )
  } finally {
    URL.revokeObjectURL(url)
  }
}

export const frameOfVideo = (video: HTMLVideoElement): Frame => ({
  picture: video,
  width: video.videoWidth,
  height: video.videoHeight,
})

/** Begins to play a file. @throws Error in words for who chose it */
export async function playFile(video: HTMLVideoElement, file: File): Promise<void> {
  video.src = URL.createObjectURL(file)
  video.loop = true
  try {
    await video.play()
  } catch {
    stopVideo(video)
    throw new Error(`${file.name}: expected a video that this browser can play, found another file or codec`)
  }
}

/** Begins to show the camera. @throws Error in words for who refused it, or has none */
export async function playCamera(video: HTMLVideoElement): Promise<void> {
  if (!navigator.mediaDevices) throw new Error('camera: this browser gives no camera to this page')
  try {
    const wanted = { facingMode: 'environment', width: { ideal: 1280 } }
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: wanted })
    await video.play()
  } catch (error) {
    stopVideo(video)
    const { name } = error as DOMException
    const reason =
      name === 'NotAllowedError' ? 'it was not allowed' : name === 'NotFoundError' ? 'there is none' : name
    throw new Error(`camera: expected one that this page may use, found that ${reason}`)
  }
}

/** Ends video and camera, and lets the file go. */
export function stopVideo(video: HTMLVideoElement): void {
  video.pause()
  if (video.srcObject instanceof MediaStream) for (const track of video.srcObject.getTracks()) track.stop()
  video.srcObject = null
  if (video.src !== '') URL.revokeObjectURL(video.src)
  video.removeAttribute('src')
  video.load()
}
