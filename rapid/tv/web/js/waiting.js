// Nothing has come yet: go to the night of the first exposure as soon as there is one.

import { getJson, nightUrl } from "./api.js";
import { makeBar } from "./bar.js";
import { byId } from "./dom.js";
import { openFeed } from "./feed.js";

const bar = makeBar(byId("health"));

openFeed(0, {
  exposure: goIfAny,
  reset: goIfAny,
  line: (state) => bar.line(state),
  beat: (data) => {
    bar.beat(data);
    goIfAny();
  },
});

async function goIfAny() {
  const { nights } = await getJson("api/v1/nights").catch(() => ({ nights: [] }));
  const measured = nights.find((night) => night.current && night.done > 0) ?? nights[0];
  if (measured) location.replace(nightUrl(measured.camera, measured.day_obs));
}
