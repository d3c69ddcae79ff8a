// Pipeline: the only module that knows the order of things.
//
//     recipe → lock → .deb files → payloads → layers → tree → provisioned tree → image and its companions
//
// It holds no format and no system call of its own: each stage calls one module and hands values on. What it
// needs from outside (the clock, the host's settings, the user's terminal) comes in `BuildSettings`. Outputs
// are made in a directory beside their place and put there together by one rename at the end.
