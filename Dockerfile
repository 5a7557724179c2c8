# The server as a container. Built in one stage, run in another that has neither sources nor compilers.
#
# Debian and not Alpine: the store's library comes ready-made for glibc on every platform, for musl on one.

FROM node:20-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# install scripts only look for compilers, and there are none: libraries come ready-made
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY shared ./shared
COPY client ./client
COPY server ./server
RUN npm run build
RUN npm prune --omit=dev --ignore-scripts && rm -rf node_modules/classic-level/deps dist/.tsbuildinfo

FROM node:20-bookworm-slim
ENV NODE_ENV=production MCM_HOST=0.0.0.0 MCM_PORT=4400 MCM_DATA_DIR=/data
WORKDIR /app
RUN mkdir /data && chown node:node /data
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
VOLUME /data
EXPOSE 4400
# liveness only: a server whose disk is full is not mended by a restart
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.MCM_PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/server/main.js"]
CMD ["serve"]
