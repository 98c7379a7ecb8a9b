function preload(pageMax, sorts) {
  var given = new URLSearchParams(location.search), wanted = new URLSearchParams(), href;
  var product = /^\/products\/([1-9][0-9]{0,17})$/.exec(location.pathname);
  function copy(name, isMeant) {
    var value = given.get(name);
    if (value && isMeant(value)) wanted.set(name, value);
  }
  if (product) href = "/api/products/" + product[1];
  else if (location.pathname === "/") {
    copy("category", Boolean);
    copy("q", Boolean);
    copy("page", function (page) { return /^[1-9][0-9]*$/.test(page) && page > 1 && page <= pageMax; });
    copy("sort", function (sort) { return sorts.indexOf(sort) > 0; });
    href = "/api/products" + (wanted.toString() && "?" + wanted);
  }
  if (!href) return;
  var link = document.createElement("link");
  link.rel = "preload";
  link.as = "fetch";
  link.crossOrigin = "anonymous";
  link.href = href;
  document.head.appendChild(link);
}
