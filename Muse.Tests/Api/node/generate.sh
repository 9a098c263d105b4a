#!/bin/sh
# A TypeScript client is generated from the OpenAPI document $1 into $2, compiled strictly, and paints with the server $3.
set -e
npx openapi-ts -i "$1" -o "$2/src" --client @hey-api/client-fetch
cp paint.ts "$2/src/paint.ts"
npx tsc --strict --target es2022 --module nodenext --moduleResolution nodenext --skipLibCheck --lib es2022,dom,dom.iterable --outDir "$2/out" "$2/src/paint.ts"
printf '{"type":"module"}' > "$2/out/package.json"
node "$2/out/paint.js" "$3"
