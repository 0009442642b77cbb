import type { OwnState } from "@stoa/client";
import { useState } from "react";
import { Label, Radio, RadioGroup } from "react-aria-components";
import { Avatar } from "../Avatar.tsx";
import { useClient, useClientState } from "../hooks.ts";
import { askToNotify, canNotify, isDenied, playSound } from "../notify.ts";
import { keepPresence, readPresence } from "../presence.ts";
import { changeSettings, type Language, type Theme, useSettings } from "../settings.ts";
import { Name } from "../text.tsx";
import { say } from "../told.ts";
import { LANGUAGE_NAMES, useWords } from "../words/index.ts";
import { Choose, Line, Sheet, Toggle } from "./parts.tsx";

const STATES: OwnState[] = ["online", "away", "busy", "offline"];
const THEMES: Theme[] = ["system", "light", "dark"];
const STATUS_CHARS = 100;

export default function SettingsDialog({ onClose }: { onClose: () => void }) {
  const words = useWords();
  const settings = useSettings();
  const languages = Object.entries(LANGUAGE_NAMES) as [Language, string][];
  return (
    <Sheet title={words.settings} onClose={onClose}>
      <Status />
      <section className="stack">
        <h3>{words.notifications}</h3>
        <Notify />
        <Toggle
          label={words.sound}
          hint={words.soundHint}
          isOn={settings.sound}
          onChange={(sound) => {
            changeSettings({ sound });
            if (sound) playSound();
          }}
        />
      </section>
      <section className="stack">
        <h3>{words.appearance}</h3>
        <RadioGroup
          className="segments"
          value={settings.theme}
          onChange={(theme) => changeSettings({ theme: theme as Theme })}
        >
          <Label>{words.theme}</Label>
          <div className="segments-row">
            {THEMES.map((theme) => (
              <Radio key={theme} value={theme} className="segment">
                {words.themes[theme]}
              </Radio>
            ))}
          </div>
        </RadioGroup>
        <Choose
          label={words.language}
          value={settings.language ?? "auto"}
          onChange={(language) => changeSettings({ language: language === "auto" ? undefined : language })}
          choices={[
            { value: "auto" as const, label: words.languageAuto },
            ...languages.map(([value, label]) => ({ value, label })),
          ]}
        />
      </section>
    </Sheet>
  );
}

function Status() {
  const words = useWords();
  const client = useClient();
  const { user = "", profile } = useClientState();
  const [own, setOwn] = useState(() => readPresence(user));
  const [text, setText] = useState(own.text);
  const set = (next: { state: OwnState; text: string }) => {
    setOwn(next);
    keepPresence(user, next);
    client.setPresence(next.state, next.text);
  };
  return (
    <section className="stack">
      <div className="who">
        <Avatar id={user} profile={profile ?? { name: user }} presence={own.state} />
        <span>
          <Name name={profile?.name ?? user} />
          <span className="fine">{words.nameFromHost}</span>
        </span>
      </div>
      <Choose
        label={words.status}
        value={own.state}
        onChange={(state) => set({ ...own, state })}
        choices={STATES.map((value) => ({ value, label: value === "offline" ? words.invisible : words.states[value] }))}
      />
      <form
        className="inline"
        onSubmit={(event) => {
          event.preventDefault();
          set({ ...own, text: text.trim() });
          say(words.statusSet);
        }}
      >
        <Line
          label={words.statusText}
          value={text}
          onChange={setText}
          placeholder={words.statusHint}
          maxLength={STATUS_CHARS}
        />
        <button type="submit" className="button" disabled={text.trim() === own.text}>
          {words.save}
        </button>
      </form>
    </section>
  );
}

/** The browser asks its user once; after a refusal only its own settings help. */
function Notify() {
  const words = useWords();
  const { notify } = useSettings();
  const [wasDenied, setDenied] = useState(isDenied);
  if (!canNotify) return <p className="fine">{words.notifyMissing}</p>;
  const change = async (isOn: boolean) => {
    if (!isOn) return changeSettings({ notify: false });
    const isAllowed = await askToNotify();
    setDenied(isDenied());
    changeSettings({ notify: isAllowed });
  };
  return (
    <>
      <Toggle
        label={words.notify}
        hint={words.notifyHint}
        isOn={notify && !wasDenied}
        isDisabled={wasDenied}
        onChange={(isOn) => void change(isOn)}
      />
      {wasDenied && (
        <p className="fine problem" role="status">
          {words.notifyDenied}
        </p>
      )}
    </>
  );
}
