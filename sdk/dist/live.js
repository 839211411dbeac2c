import { isPosition } from "./position.js";
/** How long an attempt may take before it counts as failed, in milliseconds. */
const OPEN_TIMEOUT = 10_000;
/** The server's close code for a client that read too slowly: it asks for a resume. */
const SLOW_CLIENT = 4008;
/**
 * A WebSocket that comes back by itself and resumes after the last position seen.
 * Waits between `minDelay` and `maxDelay` with full jitter, so that many clients do not return at once.
 */
export class LiveConnection {
    #source;
    #onMessage;
    #options;
    #since;
    #socket;
    #timer;
    #failures = 0;
    #closed = false;
    constructor(source, since, onMessage, options = {}) {
        this.#source = source;
        this.#since = since;
        this.#onMessage = onMessage;
        this.#options = options;
        this.#connect();
    }
    /** The position to resume after. */
    get position() {
        return this.#since;
    }
    /** Ends it for good. */
    close() {
        if (this.#closed)
            return;
        this.#closed = true;
        clearTimeout(this.#timer);
        this.#socket?.close(1000);
        this.#options.onState?.("closed");
    }
    #connect() {
        const url = this.#source.url(this.#since);
        if (url === undefined) {
            this.#retry(false);
            return;
        }
        this.#options.onState?.("connecting");
        const socket = new this.#source.WebSocket(url);
        this.#socket = socket;
        let opened = false;
        this.#timer = setTimeout(() => { socket.close(); }, OPEN_TIMEOUT);
        socket.addEventListener("open", () => {
            if (this.#closed) {
                socket.close(1000);
                return;
            }
            opened = true;
            clearTimeout(this.#timer);
            this.#options.onState?.("open");
        });
        socket.addEventListener("message", (event) => { this.#receive(event.data); });
        // Every error is followed by a close; without a listener Node's implementation would throw.
        socket.addEventListener("error", () => undefined);
        socket.addEventListener("close", (event) => {
            clearTimeout(this.#timer);
            if (this.#closed)
                return;
            if (event.code === SLOW_CLIENT)
                this.#failures = 0;
            this.#retry(opened);
        });
    }
    #receive(data) {
        if (this.#closed || typeof data !== "string")
            return;
        let message;
        try {
            message = JSON.parse(data);
        }
        catch {
            return;
        }
        // Only a message proves that the connection works: a server that accepts and drops must not be hammered.
        this.#failures = 0;
        // The greeting names the head of the log, not what this client has been told so far.
        if (isPosition(message.position) && (message.type !== "hello" || this.#since === undefined)) {
            this.#since = message.position;
        }
        this.#onMessage(message);
    }
    #retry(opened) {
        const { minDelay = 500, maxDelay = 15_000 } = this.#options;
        const ceiling = Math.min(maxDelay, minDelay * 2 ** Math.min(this.#failures, 16));
        this.#failures += 1;
        this.#options.onState?.("waiting");
        this.#timer = setTimeout(() => {
            const ready = opened ? Promise.resolve() : this.#source.renew();
            void ready
                .catch(() => undefined)
                .then(() => {
                if (!this.#closed)
                    this.#connect();
            });
        }, ceiling / 2 + (Math.random() * ceiling) / 2);
    }
}
//# sourceMappingURL=live.js.map