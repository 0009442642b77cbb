import { useState } from "react";
import { faultText } from "../words/index.ts";

/** Something that the server is asked to do: whether it is on its way, and why it was refused. */
export function useWork() {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const run = async (act: () => Promise<unknown>): Promise<boolean> => {
    setBusy(true);
    setProblem(undefined);
    try {
      await act();
      return true;
    } catch (error) {
      setProblem(faultText(error as { code: string; message: string }));
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { isBusy, problem, run };
}
