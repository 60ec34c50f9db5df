"use strict";
(function () {
  var data = JSON.parse(document.getElementById("data").textContent);
  var places = data.places, spaces = data.namespaces, answers = data.answers, runs = data.runs, columns = data.columns;
  var byId = function (id) { return document.getElementById(id); };
  var form = document.querySelector(".filter"), scroll = document.querySelector(".scroll"), space = document.querySelector(".space");
  var canvas = document.querySelector("canvas"), pen = canvas.getContext("2d"), detail = document.querySelector(".detail");
  var names = places.map(function (p) { return p[0].toLowerCase(); });
  var LEFT = 230, TOP = 130, GAP = 4, NARROW = 11, SIZES = [2, 3, 4, 6, 8, 11, 14, 18, 24, 32];
  var rows = [], cols = [], states = [], size = 14, chosen = null, hovered = null, opened = {}, colors = {}, pending = false;

  // --- what the page knows -------------------------------------------------------------------------------------------

  function column(number) {
    var key = columns[number];
    if (!opened[key]) {
      var cells = new Uint16Array(places.length), at = 0, run = runs[key];
      for (var i = 0; i < run.length; i += 2) {
        if (run[i]) cells.fill(run[i], at, at + run[i + 1]);
        at += run[i + 1];
      }
      opened[key] = cells;
    }
    return opened[key];
  }

  function asks() {
    var found = /^\s*(\d{1,5})\s*(?:\/\s*(tcp|udp|sctp))?\s*$/i.exec(byId("port").value);
    return found ? { port: Number(found[1]), protocol: (found[2] || "tcp").toUpperCase() } : null;
  }

  function has(set, asked) {
    return (set[asked.protocol] || []).some(function (part) { return part[0] <= asked.port && asked.port <= part[1]; });
  }

  // 0 nothing, 1 some of it, 2 all that is asked for, 3 only some pods
  function state(answer, asked) {
    if (asked) return has(answer.every, asked) ? 2 : has(answer.some, asked) ? 3 : 0;
    if (answer.partial) return 3;
    return answer.none ? 0 : answer.all ? 2 : 1;
  }

  function fits(number, spaceId, wordId) {
    var place = places[number], wanted = byId(spaceId).value;
    if (wanted !== "" && String(place[1]) !== wanted) return false;
    return byId(wordId).value.toLowerCase().split(/\s+/).every(function (word) { return names[number].indexOf(word) !== -1; });
  }

  function outside(number) { return places[number][1] < 0; }

  function filter() {
    var asked = asks(), show = byId("show").value;
    states = answers.map(function (answer) { return state(answer, asked); });
    var every = places.map(function (_, i) { return i; });
    rows = every.filter(function (i) { return fits(i, "from-space", "from"); });
    cols = every.filter(function (i) { return fits(i, "to-space", "to"); });
    if (show) {
      var left = {}, kept = [];
      cols.forEach(function (c) {
        var cells = column(c), any = false;
        rows.forEach(function (r) { if (wanted(r, c, cells[r])) { any = true; left[r] = true; } });
        if (any) kept.push(c);
      });
      cols = kept;
      rows = rows.filter(function (r) { return left[r]; });
    }
    chosen = null;
    size = fitting();
    byId("shown").textContent = rows.length + " sources, " + cols.length + " destinations";
    layOut();
    tell();
  }

  function wanted(row, col, answer) {
    if (row === col && places[row][3]) return false;
    if (outside(row) && outside(col)) return false;
    var show = byId("show").value;
    return !show || show.indexOf(String(states[answer])) !== -1;
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  function fitting() {
    var room = Math.min((scroll.clientWidth - LEFT) / Math.max(cols.length, 1), (scroll.clientHeight - TOP) / Math.max(rows.length, 1));
    var best = SIZES[2];
    SIZES.forEach(function (s) { if (s <= room && s > best) best = s; });
    return best;
  }

  function layOut() {
    space.style.width = LEFT + cols.length * size + GAP + "px";
    space.style.height = TOP + rows.length * size + GAP + "px";
    draw();
  }

  function draw() {
    if (pending) return;
    pending = true;
    requestAnimationFrame(function () { pending = false; paint(); });
  }

  function paint() {
    var wide = scroll.clientWidth, high = scroll.clientHeight, ratio = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
      canvas.width = Math.round(wide * ratio);
      canvas.height = Math.round(high * ratio);
      canvas.style.width = wide + "px";
      canvas.style.height = high + "px";
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = colors.paper;
    pen.fillRect(0, 0, wide, high);
    var x0 = scroll.scrollLeft, y0 = scroll.scrollTop, pad = size > 6 ? 1 : 0;
    var c0 = Math.floor(x0 / size), c1 = Math.min(cols.length, Math.ceil((x0 + wide - LEFT) / size));
    var r0 = Math.floor(y0 / size), r1 = Math.min(rows.length, Math.ceil((y0 + high - TOP) / size));
    for (var c = c0; c < c1; c++) {
      var cells = column(cols[c]), x = LEFT + c * size - x0;
      for (var r = r0; r < r1; r++) {
        var answer = cells[rows[r]];
        if (!wanted(rows[r], cols[c], answer)) continue;
        pen.fillStyle = byId("show").value === "0" ? colors.deny : colors[states[answer]];
        pen.fillRect(x, TOP + r * size - y0, size - pad, size - pad);
      }
    }
    pen.fillStyle = colors.paper;
    pen.fillRect(0, 0, LEFT, high);
    pen.fillRect(0, 0, wide, TOP);
    labels(rows, r0, r1, TOP - y0, false);
    labels(cols, c0, c1, LEFT - x0, true);
    pen.fillStyle = colors.dim;
    pen.font = "12px system-ui, sans-serif";
    pen.fillText("from \u2193   to \u2192", 8, TOP - 8);
    [hovered, chosen].forEach(function (cell) {
      if (!cell) return;
      pen.strokeStyle = colors.mark;
      pen.lineWidth = cell === chosen ? 2 : 1;
      pen.strokeRect(LEFT + cell.c * size - x0 - .5, TOP + cell.r * size - y0 - .5, Math.max(size, 3), Math.max(size, 3));
    });
  }

  function labels(list, first, last, start, across) {
    pen.save();
    pen.beginPath();
    if (across) pen.rect(LEFT, 0, scroll.clientWidth - LEFT, TOP); else pen.rect(0, TOP, LEFT, scroll.clientHeight - TOP);
    pen.clip();
    if (size >= NARROW) {
      pen.font = Math.min(13, size - 1) + "px system-ui, sans-serif";
      for (var i = first; i < last; i++) word(list[i], places[list[i]][0], start + i * size + size / 2, across);
    } else {
      pen.font = "12px system-ui, sans-serif";
      var reached = -Infinity;
      for (var n = first; n < last; n++) {
        var group = places[list[n]][1];
        if (n > first && places[list[n - 1]][1] === group) continue;
        var at = Math.max(start + n * size, (across ? LEFT : TOP)) + 7;
        pen.fillStyle = colors.line;
        if (across) pen.fillRect(start + n * size, TOP - 14, 1, 14); else pen.fillRect(LEFT - 14, start + n * size, 14, 1);
        if (at < reached) continue;
        reached = at + 14;
        word(list[n], group < 0 ? "outside" : spaces[group], at, across);
      }
    }
    pen.restore();
  }

  function word(number, text, at, across) {
    var room = across ? TOP / Math.sin(Math.PI / 3) - 18 : LEFT - 20;
    while (pen.measureText(text).width > room && text.length > 4) text = "\u2026" + text.slice(Math.max(2, Math.ceil(text.length / 12)));
    pen.fillStyle = outside(number) ? colors.dim : colors.ink;
    pen.textBaseline = "middle";
    if (across) {
      pen.save();
      pen.translate(at, TOP - 6);
      pen.rotate(-Math.PI / 3);
      pen.textAlign = "left";
      pen.fillText(text, 0, 0);
      pen.restore();
    } else {
      pen.textAlign = "right";
      pen.fillText(text, LEFT - 8, at);
    }
    pen.textAlign = "left";
    pen.textBaseline = "alphabetic";
  }

  // --- pointing ------------------------------------------------------------------------------------------------------

  function at(event) {
    var box = scroll.getBoundingClientRect();
    var x = event.clientX - box.left, y = event.clientY - box.top;
    if (x < LEFT || y < TOP) return null;
    var c = Math.floor((x - LEFT + scroll.scrollLeft) / size), r = Math.floor((y - TOP + scroll.scrollTop) / size);
    return c < cols.length && r < rows.length ? { c: c, r: r } : null;
  }

  function tell() {
    var cell = hovered || chosen;
    detail.textContent = "";
    if (!cell) {
      detail.textContent = rows.length ? "Point at a pair to see what may flow; click to keep it." : "No pair is left by the filter.";
      return;
    }
    var source = rows[cell.r], destination = cols[cell.c], answer = answers[column(destination)[source]];
    var head = document.createElement("strong");
    head.textContent = full(source) + " \u2192 " + full(destination);
    detail.appendChild(head);
    var what = outside(source) && outside(destination) ? "no policy here is about it" : answer.text;
    detail.appendChild(document.createTextNode(": " + what));
  }

  function full(number) { return places[number][0] + (places[number][2] ? " (but " + places[number][2] + ")" : ""); }

  function zoom(step) {
    var next = SIZES.indexOf(size) + step;
    if (next < 0 || next >= SIZES.length) return;
    var x = (scroll.scrollLeft + (scroll.clientWidth - LEFT) / 2) / size, y = (scroll.scrollTop + (scroll.clientHeight - TOP) / 2) / size;
    size = SIZES[next];
    layOut();
    scroll.scrollLeft = x * size - (scroll.clientWidth - LEFT) / 2;
    scroll.scrollTop = y * size - (scroll.clientHeight - TOP) / 2;
  }

  function move(key) {
    var step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    if (!step || !rows.length || !cols.length) return false;
    chosen = chosen
      ? { c: Math.min(cols.length - 1, Math.max(0, chosen.c + step[0])), r: Math.min(rows.length - 1, Math.max(0, chosen.r + step[1])) }
      : { c: 0, r: 0 };
    hovered = null;
    var x = chosen.c * size, y = chosen.r * size;
    scroll.scrollLeft = Math.min(x, Math.max(scroll.scrollLeft, x + size - scroll.clientWidth + LEFT));
    scroll.scrollTop = Math.min(y, Math.max(scroll.scrollTop, y + size - scroll.clientHeight + TOP));
    return true;
  }

  function paints() {
    var style = getComputedStyle(document.documentElement);
    ["paper", "ink", "dim", "line", "deny", "mark"].forEach(function (name) { colors[name] = style.getPropertyValue("--" + name).trim(); });
    ["none", "part", "all", "some"].forEach(function (name, i) { colors[i] = style.getPropertyValue("--" + name).trim(); });
  }

  spaces.forEach(function (name, i) {
    ["from-space", "to-space"].forEach(function (id) { byId(id).add(new Option(id.split("-")[0] + " " + name, String(i))); });
  });
  if (places.some(function (p) { return p[1] < 0; })) {
    ["from-space", "to-space"].forEach(function (id) { byId(id).add(new Option(id.split("-")[0] + " outside", "-1")); });
  }
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.addEventListener("input", filter);
  byId("in").addEventListener("click", function () { zoom(1); });
  byId("out").addEventListener("click", function () { zoom(-1); });
  scroll.addEventListener("scroll", draw);
  scroll.addEventListener("mousemove", function (event) { hovered = at(event); tell(); draw(); });
  scroll.addEventListener("mouseleave", function () { hovered = null; tell(); draw(); });
  scroll.addEventListener("click", function (event) { chosen = at(event); tell(); draw(); });
  scroll.addEventListener("keydown", function (event) { if (move(event.key)) { event.preventDefault(); tell(); draw(); } });
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { paints(); draw(); });
  form.hidden = false;
  paints();
  filter();
})();
