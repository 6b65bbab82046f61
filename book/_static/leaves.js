// Dead leaves in the page: the library's generator (generators/dead_leaves.py), pixel for pixel.
// One thing can differ: here a cosine is rounded to the nearest number, in the library to one of
// the two nearest. That moves a corner by a pixel in about one image in a hundred.
//
// The law. A leaf has a radius of density ∝ r^-σ − 1, a centre, a shape and a colour, all from
// random numbers that depend on nothing but the image's index and the leaf's number. Leaves are
// painted one on the other until no pixel is bare.
//
// float32: the library computes in single precision, so every operation here is rounded by f().
(() => {
  const f = Math.fround;
  const BLACK = 0xff000000; // opaque; what is still bare

  // -- Random numbers (core/rng.py): splitmix64 at a key and a counter ---------------------------
  const GAMMA = 0x9e3779b97f4a7c15n;
  const MIX1 = 0xbf58476d1ce4e5b9n;
  const MIX2 = 0x94d049bb133111ebn;
  const wrap = (z) => BigInt.asUintN(64, z);

  function finalise(z) {
    z = wrap((z ^ (z >> 30n)) * MIX1);
    z = wrap((z ^ (z >> 27n)) * MIX2);
    return z ^ (z >> 31n);
  }

  const fold = (key, part) => finalise(wrap(key + GAMMA) ^ wrap(BigInt(part) * MIX2));

  // Numbers `from` … `from + count − 1` of a key, uniform in [0, 1): two of 24 bits from each word.
  function uniform(key, count, from = 0) {
    const numbers = [];
    for (let i = from; i < from + count; i += 2) {
      const word = finalise(wrap(key + BigInt(i / 2 + 1) * GAMMA));
      for (const half of [word, word >> 32n])
        numbers.push(Number((half >> 8n) & 0xffffffn) / 2 ** 24);
    }
    return numbers.slice(0, count);
  }

  // -- Radii: 200 of them, from 3 % to 100 % of the side -----------------------------------------
  function radii({ least, most, grid }) {
    const step = (most - least) / (grid - 1);
    return Array.from({ length: grid }, (_, i) =>
      i < grid / 2 ? least + step * i : most - step * (grid - 1 - i));
  }

  // A uniform number up to the k-th edge takes radius k: the edges lie half way between
  // neighbouring values of the cumulative sum of the density.
  function edges(values, exponent) {
    let sum = 0;
    const cumulative = values.map((r) => (sum += r ** -exponent - 1));
    const shares = cumulative.map((c) => c / sum);
    return shares.slice(1).map((share, i) => f((share + shares[i]) / 2));
  }

  // -- A leaf -------------------------------------------------------------------------------------
  function leafOf(law, table, key, number, shape, size) {
    const u = uniform(key, 8, 8 * number); // radius, centre, shape, corners
    const step = table.edges.filter((edge) => edge < u[0]).length;
    return {
      radius: Math.max(1, Math.trunc(f(f(table.radii[step]) * size))),
      x: Math.trunc(f(u[1] * size)),
      y: Math.trunc(f(u[2] * size)),
      shape: shape === "mixed" ? law.shapes[Math.trunc(f(u[3] * law.shapes.length))] : shape,
      u: u.slice(4),
    };
  }

  // Whole corners [x, y], truncated towards zero as in the authors' code.
  function corners({ radius, x, y, shape, u }) {
    const box = (w, h) => [[-w, -h], [w, -h], [w, h], [-w, h]];
    const move = ([a, b]) => [Math.trunc(f(a + x)), Math.trunc(f(b + y))];
    if (shape === "rectangle") {
      const a = f(f(Math.PI / 2) * u[0]);
      const side = (share) => Math.floor(f(radius * f(share)));
      return box(side(Math.cos(a)), side(Math.sin(a))).map(move);
    }
    if (shape === "square" || shape === "oriented") {
      const half = Math.floor(f(radius / f(Math.SQRT2)));
      const square = box(half, half);
      if (shape === "square") return square.map(move);
      const turn = f(f(2 * Math.PI) * u[0]);
      const [cos, sin] = [f(Math.cos(turn)), f(Math.sin(turn))];
      return square
        .map(([a, b]) => [f(f(a * cos) - f(b * sin)), f(f(a * sin) + f(b * cos))])
        .map(move);
    }
    const angles = u.slice(0, shape === "triangle" ? 3 : 4).map((each) => f(f(2 * Math.PI) * each));
    angles.sort((a, b) => a - b);
    if (shape === "triangle") angles.push(angles[2]);
    return angles
      .map((a) => [f(radius * f(Math.cos(a))), f(radius * f(Math.sin(a)))])
      .map(move);
  }

  // The leaf's leftmost and rightmost pixel in a row; left > right where it has none.
  function span(leaf, outline, row) {
    if (leaf.shape === "circle") {
      const half = Math.floor(f(Math.sqrt(leaf.radius ** 2 - (row - leaf.y) ** 2)));
      return [leaf.x - half, leaf.x + half];
    }
    // A polygon's pixels lie inside its outline, or within half a pixel of an edge along the
    // edge's minor axis.
    let [left, right] = [Infinity, -Infinity];
    outline.forEach(([ax, ay], k) => {
      const [bx, by] = outline[(k + 1) % 4];
      if (row < Math.min(ay, by) || row > Math.max(ay, by)) return;
      const [dx, dy] = [bx - ax, by - ay];
      const slope = dy === 0 ? 0 : f(dx / dy);
      const reach = Math.abs(dx) <= Math.abs(dy) ? 0.5 : dy === 0 ? Infinity : Math.abs(slope) / 2;
      const x = f(f((row - ay) * slope) + ax);
      left = Math.min(left, Math.max(f(x - reach), Math.min(ax, bx)));
      right = Math.max(right, Math.min(f(x + reach), Math.max(ax, bx)));
    });
    const tie = f(1e-3); // rounding of x must not lose a pixel
    return [Math.ceil(f(left - tie)), Math.floor(f(right + tie))];
  }

  // -- An image -----------------------------------------------------------------------------------
  // Paints a leaf at each call of next(), whose value says how many pixels are still bare.
  // pixels: Uint32Array, a number of four bytes a pixel: red, green, blue, opaque.
  function* painter(law, { index, size, shape, exponent }, pixels) {
    const values = radii(law);
    const table = { radii: values, edges: edges(values, exponent) };
    const key = fold(fold(wrap(BigInt(law.stream)), 0), index); // of seed 0
    const [leaves, colours] = [fold(key, 0), fold(key, 1)];
    const covered = new Uint8Array(size * size);
    let bare = size * size;
    for (let number = 0; number < law.limit && bare; number++) {
      const leaf = leafOf(law, table, leaves, number, shape, size);
      const outline = leaf.shape === "circle" ? null : corners(leaf);
      const [red, green, blue] = uniform(wrap(colours + BigInt(number)), 3).map((c) =>
        Math.trunc(f(c * law.levels)));
      const colour = BLACK | (blue << 16) | (green << 8) | red;
      const last = Math.min(size - 1, leaf.y + leaf.radius);
      for (let row = Math.max(0, leaf.y - leaf.radius); row <= last; row++) {
        const [left, right] = span(leaf, outline, row);
        const start = row * size + Math.max(0, left);
        const end = row * size + Math.min(size - 1, right) + 1;
        for (let at = start; at < end; at++) {
          bare -= 1 - covered[at];
          covered[at] = 1;
        }
        if (start < end) pixels.fill(colour, start, end);
      }
      yield bare;
    }
  }

  // Half the side, each pixel the mean of four, rounded half up.
  function halved(pixels, size) {
    const small = new Uint8ClampedArray((size / 2) ** 2 * 4).fill(255);
    for (let at = 0; at < small.length; at++) {
      const [pixel, channel] = [at >> 2, at & 3];
      const [y, x] = [Math.floor(pixel / (size / 2)), pixel % (size / 2)];
      const corner = 4 * (2 * y * size + 2 * x) + channel;
      const below = corner + 4 * size;
      const sum = pixels[corner] + pixels[corner + 4] + pixels[below] + pixels[below + 4];
      small[at] = Math.floor(sum / 4 + 0.5);
    }
    return small;
  }

  // -- On the page --------------------------------------------------------------------------------
  function start(figure) {
    const law = JSON.parse(figure.querySelector("script").textContent);
    const form = figure.querySelector("form");
    const button = form.querySelector("button");
    const [count, code] = [figure.querySelector("output"), figure.querySelector("code")];
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    figure.querySelector("img").replaceWith(canvas);
    let timer = 0;

    function choice() {
      const { index, size, shape, exponent } = form.elements;
      const number = Math.min(Number(index.max), Math.max(0, Math.trunc(Number(index.value) || 0)));
      return { index: number, size: Number(size.value), shape: shape.value, exponent: Number(exponent.value) };
    }

    function say(painted, bare, { index, size, shape, exponent }) {
      const many = painted.toLocaleString("en");
      const left = ((100 * bare) / size ** 2).toFixed(1);
      count.textContent = bare ? `${many} leaves, ${left} % still bare` : `${many} leaves, no pixel bare`;
      canvas.setAttribute("aria-label", `Dead leaves, shape ${shape}, image ${index}: ${count.textContent}`);
      const image = `sl.generator("dead_leaves-mixed", shape="${shape}").sample([${index}], size=${size})`;
      const cover = `dead_leaves.cover(key, "${shape}", ${Math.max(size, law.scene)}, exponent=${exponent})`;
      code.textContent = exponent === law.exponent ? image : cover;
    }

    function paint(slowly) {
      cancelAnimationFrame(timer);
      const wanted = choice();
      const side = Math.max(wanted.size, law.scene); // smaller images are scenes, halved
      const pixels = new Uint32Array(side * side).fill(BLACK);
      const bytes = new Uint8ClampedArray(pixels.buffer);
      const leaves = painter(law, { ...wanted, size: side }, pixels);
      let [painted, bare, done] = [0, side * side, false];
      canvas.width = canvas.height = wanted.size;

      function turn() {
        // slowly: one leaf at a time at first, then more, as ever fewer of them cover bare ground
        let some = slowly ? 1 + Math.floor(painted / 150) : Infinity;
        for (; some > 0 && !done; some--) {
          const next = leaves.next();
          done = next.done;
          if (!done) [painted, bare] = [painted + 1, next.value];
        }
        const small = side === wanted.size ? bytes : halved(bytes, side);
        canvas.getContext("2d").putImageData(new ImageData(small, wanted.size), 0, 0);
        say(painted, (bare * wanted.size ** 2) / side ** 2, wanted);
        figure.dataset.state = done ? "done" : "painting";
        count.setAttribute("aria-live", done ? "polite" : "off"); // not every leaf is announced
        button.textContent = done ? "paint slowly" : "finish";
        if (!done) timer = requestAnimationFrame(turn);
      }
      turn();
    }

    form.addEventListener("input", () => paint(false));
    form.addEventListener("submit", (event) => event.preventDefault());
    button.addEventListener("click", () => paint(figure.dataset.state === "done"));
    form.hidden = false;
    paint(false);
  }

  document.addEventListener("DOMContentLoaded", () =>
    document.querySelectorAll("figure.live-leaves").forEach(start));
})();
