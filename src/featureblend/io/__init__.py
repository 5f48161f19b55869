"""Files: pictures, videos, metadata, codes, settings; read and checked, written whole or not at all."""
