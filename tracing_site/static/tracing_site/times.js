// Times in the reader's zone.

/** "UTC", "UTC+2", "UTC-3:30": the distance from UTC, given in minutes as Date.getTimezoneOffset() gives it (west is positive). */
export function zoneName(offsetMinutes) {
    const minutes = -offsetMinutes;
    const rest = Math.abs(minutes) % 60;
    const hours = Math.trunc(Math.abs(minutes) / 60) + (rest ? `:${rest}` : "");
    return minutes ? `UTC${minutes < 0 ? "-" : "+"}${hours}` : "UTC";
}

const pad = (number, length = 2) => String(number).padStart(length, "0");

/** "2026-12-01 09:05:00", to the second. */
export function toSeconds(date) {
    const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
    return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
}

const DAY = new Intl.DateTimeFormat("en", { month: "short", day: "numeric" });

/** For lists: "09:05:00" of today, "Nov 30, 09:05:00" of the last months, "2025-11-30 09:05" before. */
export function toShort(date, now = new Date()) {
    const time = toSeconds(date).slice(11);
    if (date.toDateString() === now.toDateString()) return time;
    return Math.abs(now - date) < 180 * 86_400_000 ? `${DAY.format(date)}, ${time}` : toSeconds(date).slice(0, 16);
}

/** "2026-12-01 09:05:00.120 UTC+2", to the millisecond, with the zone at that moment. */
export function toMilliseconds(date) {
    return `${toSeconds(date)}.${pad(date.getMilliseconds(), 3)} ${zoneName(date.getTimezoneOffset())}`;
}

/** In lists short, their zone below them; elsewhere to the second; among the facts of a page to the millisecond, with their zone. */
export function localiseTimes(root) {
    for (const time of root.querySelectorAll("time[data-unix-nano]:not([data-local])")) {
        const date = new Date(time.dateTime);
        if (Number.isNaN(date.valueOf())) continue;
        time.textContent = time.closest(".facts")
            ? toMilliseconds(date)
            : time.closest("td")
              ? toShort(date)
              : toSeconds(date);
        time.dataset.local = "";
    }
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    const zone = zoneName(new Date().getTimezoneOffset());
    for (const place of root.querySelectorAll("[data-zone]"))
        place.textContent = timeZone === zone ? zone : `${timeZone} (${zone})`;
}
