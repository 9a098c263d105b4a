#!/bin/sh
# Copies the pages' libraries from their npm packages into Muse.Api/wwwroot. Versions are pinned here and told in wwwroot/lib/README.md.
set -eu
uplot=uplot@1.6.32
sans=@fontsource-variable/hanken-grotesk@5.3.0
placard=@fontsource/instrument-serif@5.3.0

cd "$(dirname "$0")/../Muse.Api/wwwroot"
here=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in "$uplot" "$sans" "$placard"; do
  archive=$(npm pack --silent "$package")
  mkdir package
  tar xzf "$archive"
  case $package in
    "$uplot") cp package/dist/uPlot.iife.min.js package/dist/uPlot.min.css package/LICENSE "$here/lib/uplot/" ;;
    "$sans") cp package/files/hanken-grotesk-latin-wght-normal.woff2 "$here/fonts/hanken-grotesk.woff2"; cp package/LICENSE "$here/fonts/hanken-grotesk.LICENSE" ;;
    "$placard") cp package/files/instrument-serif-latin-400-italic.woff2 "$here/fonts/instrument-serif-italic.woff2"; cp package/LICENSE "$here/fonts/instrument-serif.LICENSE" ;;
  esac
  rm -r package
done
