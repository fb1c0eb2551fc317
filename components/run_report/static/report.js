"use strict";

/* Charts: figures come without colours; they get those of the style sheet, anew when light turns to dark. */
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displayModeBar: false, scrollZoom: false, doubleClick: false };

  const palette = () => {
    const style = getComputedStyle(document.documentElement);
    return (name) => style.getPropertyValue(`--${name}`).trim();
  };

  const translucent = (hex, share) => {
    const part = (at) => parseInt(hex.slice(at, at + 2), 16);
    return `rgba(${part(1)}, ${part(3)}, ${part(5)}, ${share})`;
  };

  const paintTrace = (trace, colour) => {
    const own = colour(`chart-${trace.meta.role}`);
    const roles = trace.meta.roles;
    trace.marker = { ...trace.marker, color: roles ? roles.map((role) => colour(`chart-${role}`)) : own };
    if (trace.marker.line) trace.marker.line = { ...trace.marker.line, color: own };
    if (trace.type === "scatter") trace.line = { width: 2, ...trace.line, color: own };
    if (trace.fill && trace.fill !== "none") trace.fillcolor = translucent(own, 0.16);
    for (const error of [trace.error_x, trace.error_y]) if (error) error.color = own;
  };

  const paint = (figure) => {
    const colour = palette();
    const { data, layout } = structuredClone(figure);
    data.forEach((trace) => paintTrace(trace, colour));
    const axis = {
      automargin: true,
      fixedrange: true,
      gridcolor: colour("grid"),
      zerolinecolor: colour("chart-reference"),
      linecolor: colour("line"),
      zeroline: false,
      tickangle: 0,
    };
    const titled = (given = {}) => ({
      ...axis,
      ...given,
      title: { standoff: 8, font: { size: 12, color: colour("soft") }, ...given.title },
    });
    return [data, {
      ...layout,
      autosize: true,
      dragmode: false,
      xaxis: titled({ nticks: 5, ...layout.xaxis }),
      yaxis: titled(layout.yaxis),
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("ink") },
      margin: { l: 8, r: 20, t: 28, b: 8 },
      bargap: 0.3,
      hovermode: "closest",
      hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") } },
      legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 }, itemclick: false, itemdoubleclick: false },
    }];
  };

  const places = [...document.querySelectorAll("[data-figure]")];
  const drawOne = (place) => Plotly.react(place, ...paint(figures[place.dataset.figure]), config);
  const failed = (place, error) => {
    place.textContent = "This chart cannot be drawn here.";
    console.error(place.id, error);
  };
  // One after the other, so that the page can be scrolled meanwhile; one that fails does not keep the others.
  const draw = async () => {
    for (const place of places) {
      try {
        await drawOne(place);
      } catch (error) {
        failed(place, error);
      }
    }
  };
  const drawn = () => document.documentElement.setAttribute("data-drawn", dark.matches ? "dark" : "light");
  draw().then(drawn);
  dark.addEventListener("change", () => draw().then(drawn));
})();

/* Tables: sorting, filtering, and a limit of rows until one asks for more. */
(() => {
  const cellValue = (row, index, kind) => {
    const cell = row.cells[index];
    if (kind === "number") return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    return cell.textContent.trim() || null;
  };

  const compare = (kind, direction) => ([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null); // missing values last, in either order
    return direction * (kind === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true }));
  };

  const sort = (table, head) => {
    const heads = [...head.parentElement.cells];
    const other = { ascending: "descending", descending: "ascending" };
    const order = other[head.getAttribute("aria-sort")] || head.dataset.first;
    heads.forEach((each) => each.hasAttribute("aria-sort") && each.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", order);
    const body = table.tBodies[0];
    const kind = head.dataset.kind;
    const rows = [...body.rows].map((row) => [cellValue(row, heads.indexOf(head), kind), row]);
    rows.sort(compare(kind, order === "ascending" ? 1 : -1));
    body.append(...rows.map(([, row]) => row));
  };

  const setUp = (table) => {
    const limit = Number(table.dataset.limit || Infinity);
    let all = false;
    let matches = () => true;
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    table.closest(".scroll").after(more);

    const show = () => {
      let found = 0;
      for (const row of table.tBodies[0].rows) {
        const wanted = matches(row);
        found += wanted;
        row.hidden = !wanted || (!all && found > limit);
      }
      more.hidden = found <= limit;
      more.textContent = all ? `Show the first ${limit} only` : `Show all ${found} rows`;
    };

    more.addEventListener("click", () => {
      all = !all;
      show();
    });
    for (const button of table.querySelectorAll("thead button")) {
      button.addEventListener("click", () => {
        sort(table, button.closest("th"));
        show();
      });
    }
    show();
    return (wanted) => {
      matches = wanted;
      show();
    };
  };

  const filterOf = new Map([...document.querySelectorAll("table.sortable")].map((table) => [table.id, setUp(table)]));

  const filters = document.querySelector(".filters");
  if (!filters) return;
  filters.hidden = false;
  const control = (name) => filters.querySelector(`[data-filter="${name}"]`);
  filters.addEventListener("input", () => {
    const output = control("output").value;
    const text = control("text").value.trim().toLowerCase();
    const worse = control("worse").checked;
    filterOf.get("slice-table")((row) =>
      (!output || row.dataset.output === output) &&
      (!text || row.cells[0].textContent.toLowerCase().includes(text)) &&
      (!worse || "worse" in row.dataset));
  });
})();

/* The section in view is marked in the bar. */
(() => {
  const links = new Map([...document.querySelectorAll(".bar a")].map((link) => [link.hash.slice(1), link]));
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      links.forEach((link, id) => {
        if (id === entry.target.id) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  links.forEach((_, id) => watcher.observe(document.getElementById(id)));
})();
