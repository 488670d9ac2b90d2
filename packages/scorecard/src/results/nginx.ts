/** nginx with files of its own in a folder: what it answers, and its configuration. Its timeouts are its defaults. */
import { writeFile } from "node:fs/promises"
import { userInfo } from "node:os"
import { join } from "node:path"

const slowBytes = 3000
/** For about two seconds. */
const slowRate = slowBytes / 2
const largeBytes = 64 * 1024 * 1024
const refusalBytes = 200 * 1024

/** The timeout that workers give a drain, `worker_shutdown_timeout`, has no default and is not set. */
const configuration = (port: number): string => `user ${userInfo().username};
pid nginx.pid;

events {
  worker_connections 4096;
}

http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;

  server {
    listen 127.0.0.1:${port};
    root files;
    error_page 405 /refusal;

    location = /slow {
      limit_rate ${slowRate};
    }
  }
}
`

/** Returns the command, without a daemon. Its workers are our own user's, whose folder it is. */
export const inFolder = async (folder: string, files: string, port: number): Promise<ReadonlyArray<string>> => {
  const sizes = { quick: 6, slow: slowBytes, large: largeBytes, refusal: refusalBytes, upload: 6 }
  await Promise.all([
    ...Object.entries(sizes).map(([name, bytes]) => writeFile(join(files, name), Buffer.alloc(bytes, "."))),
    writeFile(join(folder, "nginx.conf"), configuration(port))
  ])
  return ["nginx", "-p", folder, "-e", "stderr", "-c", "nginx.conf", "-g", "daemon off;"]
}
