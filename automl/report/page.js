// Draws the figures in the colours of the page, sorts tables, copies commands.
(() => {
  "use strict";
  const coarse = matchMedia("(pointer: coarse)").matches;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const look = () => ({
    "font.color": colour("--muted"),
    "hoverlabel.bgcolor": colour("--raised"),
    "hoverlabel.bordercolor": colour("--rule"),
    "hoverlabel.font.color": colour("--ink"),
  });

  const unpacked = async (text) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  };
  const load = async () => {
    const script = document.createElement("script");
    script.textContent = await unpacked(document.getElementById("plotly").textContent);
    document.head.append(script); // it runs at once
  };

  const drawn = [];
  const draw = () => {
    for (const source of document.querySelectorAll("script[data-figure]")) {
      const place = document.getElementById(source.dataset.figure);
      const figure = JSON.parse(source.textContent);
      // A finger that drags scrolls the page; a mouse zooms.
      figure.layout.dragmode = coarse ? false : "zoom";
      delete figure.layout.width;
      const config = { responsive: true, displayModeBar: false, doubleClick: "reset+autosize" };
      Plotly.newPlot(place, figure.data, figure.layout, config).then(() => {
        drawn.push(place);
        Plotly.relayout(place, look());
        // Windows that narrow without a resize event, and pages that are printed, are seen here too.
        new ResizeObserver(() => Plotly.Plots.resize(place)).observe(place);
        place.on("plotly_click", (event) => {
          const anchor = event.points[0].customdata;
          if (typeof anchor === "string" && document.getElementById(anchor)) location.hash = anchor;
        });
      });
    }
  };
  load().then(draw).catch((error) => {
    for (const source of document.querySelectorAll("script[data-figure]")) {
      const place = document.getElementById(source.dataset.figure);
      place.style.height = "auto";
      place.textContent = `This figure needs a browser of 2023 or later (${error.message}).`;
    }
  });
  dark.addEventListener("change", () => drawn.forEach((place) => Plotly.relayout(place, look())));

  for (const button of document.querySelectorAll("button.copy")) {
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "selected";
      }
      setTimeout(() => { button.textContent = "copy"; }, 1600);
    });
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    table.querySelectorAll("thead th").forEach((head, column) => {
      head.tabIndex = 0;
      const sort = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const order = Number.isNaN(Number(x) - Number(y)) ? x.localeCompare(y) : Number(x) - Number(y);
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  }
})();
