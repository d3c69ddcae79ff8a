// Attesting: what an image is made of, said in the forms that others read.
//
// Licences from Debian's copyright files, bills of materials (SPDX, CycloneDX) and provenance (in-toto, SLSA). All of it
// is a pure function of values: no file system, no clock. So equal images have equal documents.
//
// Nothing is invented. What a copyright file does not say is NOASSERTION, with the reason; what no record holds is
// left out. A licence is what the package's maintainers declare for its source; nobody here concludes anything.
