namespace Muse.Diffusion;

/// <summary>
/// Decodes a latent in overlapping tiles, whose images are blended linearly, so that a decoder's memory depends on the tile alone
/// (diffusers: <c>AutoencoderKL.enable_tiling</c>).
/// </summary>
static class TiledDecoding
{
    const int Colours = 3;
    // Neighbours share a quarter of a tile (diffusers: tile_overlap_factor), or somewhat more.
    const int OverlapDivisor = 4;

    /// <summary>Decodes a latent.</summary>
    /// <param name="shape">The latent's shape.</param>
    /// <param name="latent">The decoder's input: channels × height × width.</param>
    /// <param name="tile">The width and height of a tile at most, cells.</param>
    /// <param name="pixelsPerCell">How many pixels a cell is wide and high.</param>
    /// <param name="decode">Decodes one tile: from channels × height × width in cells to 3 × height × width in pixels. All tiles have the
    /// same shape.</param>
    /// <returns>The image: 3 × height × width.</returns>
    public static float[] Decode(
        LatentShape shape, ReadOnlySpan<float> latent, int tile, int pixelsPerCell, Func<LatentShape, float[], float[]> decode)
    {
        var part = shape with { Height = SideOf(shape.Height, tile), Width = SideOf(shape.Width, tile) };
        int[] rows = Starts(shape.Height, part.Height), columns = Starts(shape.Width, part.Width);
        int width = shape.Width * pixelsPerCell, height = shape.Height * pixelsPerCell;
        int partWidth = part.Width * pixelsPerCell, partHeight = part.Height * pixelsPerCell;
        var image = new float[Colours * height * width];
        // The tiles of one row, blended.
        var strip = new float[Colours * partHeight * width];
        for (var row = 0; row < rows.Length; row++)
        {
            for (var column = 0; column < columns.Length; column++)
            {
                var decoded = decode(part, Cut(shape, latent, part, rows[row], columns[column]));
                var overlap = Overlap(columns, column, part.Width) * pixelsPerCell;
                for (var line = 0; line < Colours * partHeight; line++)
                {
                    var target = strip.AsSpan(line * width + columns[column] * pixelsPerCell, partWidth);
                    var source = decoded.AsSpan(line * partWidth, partWidth);
                    for (var x = 0; x < overlap; x++)
                        target[x] = Blend(target[x], source[x], x, overlap);
                    source[overlap..].CopyTo(target[overlap..]);
                }
            }
            var shared = Overlap(rows, row, part.Height) * pixelsPerCell;
            for (var line = 0; line < Colours * partHeight; line++)
            {
                var (colour, y) = Math.DivRem(line, partHeight);
                var target = image.AsSpan((colour * height + rows[row] * pixelsPerCell + y) * width, width);
                var source = strip.AsSpan(line * width, width);
                if (y >= shared)
                    source.CopyTo(target);
                for (var x = 0; y < shared && x < width; x++)
                    target[x] = Blend(target[x], source[x], y, shared);
            }
        }
        return image;
    }

    /// <summary>The tiles' length along one axis: no more than the largest, nor than as many tiles as that takes need.</summary>
    /// <param name="length">The latent's width or height, cells.</param>
    /// <param name="largest">The tiles' at most, cells.</param>
    internal static int SideOf(int length, int largest)
    {
        if (length <= largest)
            return length;
        // Each but the first adds the part of it that it does not share.
        var parts = OverlapDivisor + Steps(length, largest) * (OverlapDivisor - 1);
        return Math.Min(largest, DivideUp(OverlapDivisor * length, parts));
    }

    /// <summary>Where the tiles of one axis begin, evenly spaced: the first at 0, the last so that it ends at the border.</summary>
    /// <param name="length">The latent's width or height, cells.</param>
    /// <param name="side">The tiles', at most <paramref name="length"/>.</param>
    internal static int[] Starts(int length, int side)
    {
        var steps = Steps(length, side);
        return [.. Enumerable.Range(0, steps + 1).Select(i => steps == 0 ? 0 : i * (length - side) / steps)];
    }

    static int Steps(int length, int side) => DivideUp(length - side, side - side / OverlapDivisor);

    static int DivideUp(int value, int by) => (value + by - 1) / by;

    // How far a tile lies over the one before it.
    static int Overlap(int[] starts, int index, int length) => index == 0 ? 0 : starts[index - 1] + length - starts[index];

    // Exact where both are equal.
    static float Blend(float before, float after, int position, int overlap) =>
        before + (after - before) * ((position + 0.5f) / overlap);

    static float[] Cut(LatentShape shape, ReadOnlySpan<float> latent, LatentShape part, int row, int column)
    {
        var values = new float[part.Length];
        for (var line = 0; line < part.Channels * part.Height; line++)
        {
            var (channel, y) = Math.DivRem(line, part.Height);
            latent.Slice((channel * shape.Height + row + y) * shape.Width + column, part.Width).CopyTo(values.AsSpan(line * part.Width));
        }
        return values;
    }
}
