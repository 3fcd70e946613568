// Stands for a module that a bundle names but never uses.
'use strict';
module.exports = {};
