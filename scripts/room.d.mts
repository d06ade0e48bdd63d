export interface RoomOptions {
  cert?: string | undefined;
  key?: string | undefined;
  host: string;
  port: number;
  help?: boolean;
}
/** Throws an Error with one sentence for options that cannot be used. */
export declare function readOptions(args: readonly string[]): RoomOptions;
export declare function addressesOf(
  interfaces: Record<
    string,
    readonly { family: string; internal: boolean; address: string }[] | undefined
  >,
  served: { port: number; secure: boolean },
): string[];
export declare function serveRoom(options: RoomOptions): Promise<{ close: () => Promise<void> }>;
