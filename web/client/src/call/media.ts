// The user's own microphone, camera and screen: taken when they are switched on, given back when they are off.
import { Emitter } from "../emitter.ts";
import type { TrackSource } from "../protocol.ts";

/** Why a device could not be had, as a page can put into words. */
export type DeviceProblem =
  /** The user, the browser or the page around this one said no. */
  | "denied"
  /** There is none. */
  | "missing"
  /** Another program has it. */
  | "busy"
  /** This page is not allowed to ask: no secure context, or an iframe without `allow`. */
  | "unavailable";

export interface MediaState {
  /** What is sent, by what it shows. A muted microphone stays, silent. */
  readonly tracks: ReadonlyMap<TrackSource, MediaStreamTrack>;
  /** Whether the microphone is open and not muted. */
  readonly microphone: boolean;
  readonly camera: boolean;
  readonly screen: boolean;
  readonly problems: ReadonlyMap<TrackSource, DeviceProblem>;
  readonly devices: readonly MediaDeviceInfo[];
  /** The devices in use, or the wish of them. */
  readonly microphoneId?: string;
  readonly cameraId?: string;
  readonly speakerId?: string;
}

export interface MediaEvents {
  change: MediaState;
}

/** A face in a tile; more would be scaled down again by the one who looks. */
const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } } as const;

/** One user's devices, for a preview before the call and for the call itself. */
export class LocalMedia extends Emitter<MediaEvents> {
  readonly #devices: MediaDevices | undefined;
  readonly #tracks = new Map<TrackSource, MediaStreamTrack>();
  readonly #problems = new Map<TrackSource, DeviceProblem>();
  #list: readonly MediaDeviceInfo[] = [];
  #isSilent = false;
  #chosen: { microphone?: string; camera?: string; speaker?: string } = {};
  /** What was asked for last, by source: an answer to an earlier wish is given back. */
  readonly #wishes = new Map<TrackSource, number>();
  #state: MediaState | undefined;
  #isClosed = false;
  readonly #onDevices = () => void this.refresh();

  /** `devices` is the platform's `navigator.mediaDevices` unless it is given. */
  constructor(devices: MediaDevices | undefined = globalThis.navigator?.mediaDevices) {
    super();
    this.#devices = devices;
    devices?.addEventListener?.("devicechange", this.#onDevices);
  }

  get state(): MediaState {
    this.#state ??= {
      tracks: new Map(this.#tracks),
      microphone: this.#tracks.has("microphone") && !this.#isSilent,
      camera: this.#tracks.has("camera"),
      screen: this.#tracks.has("screen"),
      problems: new Map(this.#problems),
      devices: this.#list,
      microphoneId: this.#tracks.get("microphone")?.getSettings().deviceId ?? this.#chosen.microphone,
      cameraId: this.#tracks.get("camera")?.getSettings().deviceId ?? this.#chosen.camera,
      speakerId: this.#chosen.speaker,
    };
    return this.#state;
  }

  /** Opens or mutes the microphone. A muted one stays taken, so that it is there within a word. */
  async setMicrophone(on: boolean): Promise<void> {
    this.#isSilent = !on;
    const track = this.#tracks.get("microphone");
    if (track) track.enabled = on;
    this.#changed();
    if (on && !track) await this.#take("microphone");
  }

  /** Switches the camera on, or off and gives it back: its light goes out. */
  async setCamera(on: boolean): Promise<void> {
    if (!on) return this.#drop("camera");
    if (!this.#tracks.has("camera")) await this.#take("camera");
  }

  /**
   * Opens both with one question to the user. Where that fails each is asked for alone, so that a missing camera takes
   * nobody's voice.
   */
  async open(): Promise<void> {
    const isWanted = (source: "microphone" | "camera") => !this.#tracks.has(source);
    if (!isWanted("microphone") || !isWanted("camera") || !this.#devices?.getUserMedia) {
      await Promise.all([this.setMicrophone(true), this.setCamera(true)]);
      return;
    }
    this.#isSilent = false;
    const wishes = [this.#wish("microphone"), this.#wish("camera")];
    const stream = await this.#devices.getUserMedia({ ...this.#wanted("microphone"), ...this.#wanted("camera") }).then(
      (stream) => stream,
      () => undefined,
    );
    if (!stream) {
      if (!this.#isClosed && wishes[0] === this.#wishes.get("microphone")) await this.#take("microphone");
      if (!this.#isClosed && wishes[1] === this.#wishes.get("camera")) await this.#take("camera");
      return;
    }
    for (const track of stream.getTracks()) {
      const source = track.kind === "audio" ? "microphone" : "camera";
      const isOld = wishes[source === "microphone" ? 0 : 1] !== this.#wishes.get(source);
      if (this.#isClosed || isOld) {
        track.stop();
        continue;
      }
      if (source === "microphone") track.enabled = !this.#isSilent;
      this.#put(source, track);
    }
    await this.refresh();
  }

  /** Chooses a device; what is on goes on with it. */
  async choose(kind: "microphone" | "camera" | "speaker", deviceId: string): Promise<void> {
    this.#chosen = { ...this.#chosen, [kind]: deviceId };
    if (kind !== "speaker" && this.#tracks.has(kind)) await this.#take(kind);
    this.#changed();
  }

  /** Asks which screen or window to share. `false` when the user chose none. */
  async shareScreen(): Promise<boolean> {
    const wish = this.#wish("screen");
    try {
      if (!this.#devices?.getDisplayMedia) throw new DOMException("", "NotSupportedError");
      const stream = await this.#devices.getDisplayMedia({ video: { frameRate: { max: 15 } }, audio: true });
      if (this.#isClosed || wish !== this.#wishes.get("screen")) {
        for (const track of stream.getTracks()) track.stop();
        return false;
      }
      const [picture] = stream.getVideoTracks();
      const [sound] = stream.getAudioTracks();
      if (!picture) return false;
      picture.contentHint = "detail";
      this.#put("screen", picture);
      if (sound) this.#put("screen_audio", sound);
      return true;
    } catch (error) {
      // The user closed the dialog: that is an answer, no problem.
      if (problemOf(error) !== "denied") this.#problems.set("screen", problemOf(error));
      return false;
    } finally {
      this.#changed();
    }
  }

  stopScreen(): void {
    this.#drop("screen");
    this.#drop("screen_audio");
  }

  /** Looks which devices there are; their names are told once one of them was allowed. */
  async refresh(): Promise<void> {
    this.#list = (await this.#devices?.enumerateDevices().catch(() => [])) ?? [];
    if (!this.#isClosed) this.#changed();
  }

  /** Gives every device back; what is switched on afterwards is taken anew. */
  release(): void {
    for (const source of [...this.#tracks.keys()]) this.#drop(source);
  }

  /** Gives everything back for good. */
  close(): void {
    this.#isClosed = true;
    this.#devices?.removeEventListener?.("devicechange", this.#onDevices);
    this.release();
    this.silence();
  }

  #wish(source: TrackSource): number {
    const wish = (this.#wishes.get(source) ?? 0) + 1;
    this.#wishes.set(source, wish);
    return wish;
  }

  async #take(source: "microphone" | "camera"): Promise<void> {
    const wish = this.#wish(source);
    try {
      if (!this.#devices?.getUserMedia) throw new DOMException("", "NotSupportedError");
      const stream = await this.#open(source);
      const [track] = stream.getTracks();
      if (!track) throw new DOMException("", "NotFoundError");
      if (this.#isClosed || wish !== this.#wishes.get(source)) return track.stop();
      if (source === "microphone") track.enabled = !this.#isSilent;
      this.#put(source, track);
    } catch (error) {
      if (this.#isClosed || wish !== this.#wishes.get(source)) return;
      this.#problems.set(source, problemOf(error));
      if (source === "microphone") this.#isSilent = true;
      this.#changed();
    }
    // The names of devices are told from now on.
    await this.refresh();
  }

  /** The chosen device, or whatever there is when that one has been unplugged. */
  async #open(source: "microphone" | "camera"): Promise<MediaStream> {
    const devices = this.#devices as MediaDevices;
    const isChosen = this.#chosen[source] !== undefined;
    return devices.getUserMedia(this.#wanted(source, true)).catch((error: unknown) => {
      if (!isChosen || problemOf(error) === "denied") throw error;
      return devices.getUserMedia(this.#wanted(source));
    });
  }

  /** What is asked of the platform; the chosen device exactly, or only for preference. */
  #wanted(source: "microphone" | "camera", isExact = false): MediaStreamConstraints {
    const id = this.#chosen[source];
    const device = id === undefined ? {} : { deviceId: isExact ? { exact: id } : { ideal: id } };
    if (source === "camera") return { video: { ...CAMERA, ...device } };
    return { audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, ...device } };
  }

  #put(source: TrackSource, track: MediaStreamTrack): void {
    const old = this.#tracks.get(source);
    this.#tracks.set(source, track);
    this.#problems.delete(source);
    old?.stop();
    track.onended = () => {
      if (this.#tracks.get(source) !== track) return;
      // Unplugged, or ended from the browser's own bar.
      if (source === "screen") this.stopScreen();
      else this.#drop(source);
      if (source === "microphone" && !this.#isSilent) void this.#take("microphone");
    };
    this.#changed();
  }

  #drop(source: TrackSource): void {
    this.#wish(source);
    const track = this.#tracks.get(source);
    this.#tracks.delete(source);
    if (track) {
      track.onended = null;
      track.stop();
    }
    this.#changed();
  }

  #changed(): void {
    this.#state = undefined;
    this.emitSoon("change", () => this.state);
  }
}

/** What the names of errors mean (W3C Media Capture and Streams, section 10.2). */
function problemOf(error: unknown): DeviceProblem {
  switch ((error as { name?: string } | undefined)?.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "denied";
    case "NotFoundError":
    case "OverconstrainedError":
      return "missing";
    case "NotReadableError":
    case "AbortError":
      return "busy";
    default:
      return "unavailable";
  }
}
