// One room's call as this tab takes part in it: devices, the call, and what a reload has to know.
import type { Client, Room, RoomId } from "@stoa/client";
import { Call, LocalMedia, type StartOptions } from "@stoa/client/call";
import { holdRoom } from "../hooks.ts";
import { local } from "../kept.ts";
import { type KeptCall, keep } from "./desk.ts";

const DEVICES = "stoa.devices";
const KINDS = ["microphone", "camera", "speaker"] as const;
type Chosen = Partial<Record<(typeof KINDS)[number], string>>;

/** From the press of the button to the first picture, for whoever measures. */
export const JOIN_MARK = "stoa.join";

export class Sitting {
  readonly client: Client;
  readonly room: Room;
  readonly media: LocalMedia;
  readonly call: Call;
  readonly #stops: (() => void)[];
  #isClosed = false;

  constructor(client: Client, id: RoomId) {
    this.client = client;
    this.room = client.room(id);
    this.media = new LocalMedia();
    for (const [kind, device] of Object.entries(chosen())) void this.media.choose(kind as keyof Chosen, device);
    this.call = new Call(this.room, { media: this.media });
    this.#stops = [holdRoom(this.room), this.call.on("change", () => this.#keep())];
    void this.room.open().catch(() => {});
  }

  get isBusy(): boolean {
    return this.call.state.phase !== "out";
  }

  /** Starts the room's call, or joins the one that runs. Why it did not work stands in the call's state. */
  async join(options: StartOptions = {}): Promise<void> {
    performance.mark(JOIN_MARK);
    await this.call.join(options).catch(() => {});
  }

  /** Answers a call: it is joined if it still runs, and never started anew. */
  async answer(call: number, devices: { microphone: boolean; camera: boolean }): Promise<boolean> {
    performance.mark(JOIN_MARK);
    this.#turnOn(devices);
    await this.room.open().catch(() => {});
    if (this.#isClosed || this.room.state.call?.call !== call) return false;
    await this.call.join().catch(() => {});
    return true;
  }

  /** Chooses a device, now and for the calls to come. */
  choose(kind: keyof Chosen, device: string): void {
    local.setItem(DEVICES, JSON.stringify({ ...chosen(), [kind]: device }));
    void this.media.choose(kind, device);
  }

  /** Ends the call for this tab, and gives the devices back. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const stop of this.#stops) stop();
    this.call.close();
    this.media.close();
    keep(undefined);
  }

  #turnOn({ microphone, camera }: Pick<KeptCall, "microphone" | "camera">): void {
    if (microphone && camera) void this.media.open();
    else if (microphone) void this.media.setMicrophone(true);
    else if (camera) void this.media.setCamera(true);
  }

  #keep(): void {
    const { phase, over, call, media } = this.call.state;
    if (phase === "out") {
      if (over !== undefined) keep(undefined);
    } else if (call) {
      keep({ room: this.room.id, call: call.call, microphone: media.microphone, camera: media.camera });
    }
  }
}

function chosen(): Chosen {
  try {
    const value = JSON.parse(local.getItem(DEVICES) ?? "{}") as Chosen | null;
    return Object.fromEntries(
      KINDS.flatMap((kind) => (typeof value?.[kind] === "string" ? [[kind, value[kind]]] : [])),
    );
  } catch {
    return {};
  }
}
