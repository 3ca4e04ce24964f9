#!/usr/bin/env node
'use strict';
// function commented() { }
const pattern = /[{/]\}/g;
const half = (a, b) => a / b;

function plain(a, b = { x: 1 }) {
  return `${a} { ${half(b, { deep: `${1}}` })} }`;
}

async function* stream(items) {
  for await (const item of items) {
    if (item) yield item;
    else if (item === 0) continue;
  }
}

const arrow = async (x) => {
  return new Promise((resolve) => {
    setTimeout(() => {
      if (x) resolve(x);
    }, 10);
  }).catch((error) => { throw error; });
};

class Queue extends Base {
  #items = [];
  static limit = 10;

  constructor(n) {
    super(n);
  }

  get size() { return this.#items.length; }

  static async open(path) {
    try {
      return await load(path);
    } catch {
      return null;
    } finally {
      done();
    }
  }

  handler = (event) => {
    switch (event.type) {
      case 'a': {
        if (event.x) return 1;
      }
    }
    return 2;
  };
}

const table = {
  method(x) {
    while (x > 0) x--;
    return x;
  },
  named: function (x) {
    return x;
  },
  value: { if: 1, for: 2 },
};

function noSemicolons(list) {
  for (const item of list)
    if (item.ok)
      use(item)
  if (list.length) {
    return list
  }
  return null
}

module.exports = { plain, table };
