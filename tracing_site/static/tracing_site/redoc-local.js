// ReDoc's footer has a logo on another host; an image that fails is left out.
"use strict";

{
    const local = (url) => (new URL(url, location).origin === location.origin ? url : "data:,");
    const set = Element.prototype.setAttribute;
    HTMLImageElement.prototype.setAttribute = function (name, value) {
        set.call(this, name, name === "src" ? local(value) : value);
    };
    Object.defineProperty(HTMLImageElement.prototype, "src", {
        set(value) {
            set.call(this, "src", local(value));
        },
    });
}
