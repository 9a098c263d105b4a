using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Muse.Diffusion;
using Muse.Tests.Infrastructure;
using SkiaSharp;

namespace Muse.Tests.Diffusion.Images;

/// <summary>What a file says of its image: the parameters, and that it was generated.</summary>
public sealed class ImageMetadataTests
{
    const string SourceType = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
    const string Parameters = "a red cat, 猫 🦊\nNegative prompt: rain\nSteps: 12, Sampler: Euler a, CFG scale: 7.5, Seed: 42, Size: 8x4";
    static readonly RgbImage Image = new(8, 4, [.. Enumerable.Range(0, 3 * 8 * 4).Select(i => (byte)(i * 37))]);

    [Theory]
    [InlineData(ImageFormat.Png)]
    [InlineData(ImageFormat.Jpeg)]
    [InlineData(ImageFormat.WebP)]
    public void Metadata_changes_no_pixel(ImageFormat format)
    {
        using var plain = SKBitmap.Decode(ImageEncoder.Encode(Image, format));
        using var described = SKBitmap.Decode(ImageEncoder.Encode(Image, format, metadata: new(Parameters, IsAiGenerated: true)));
        Assert.Equal((8, 4), (described.Width, described.Height));
        Assert.Equal(plain.Pixels, described.Pixels);
    }

    [Theory]
    [InlineData(ImageFormat.Jpeg)]
    [InlineData(ImageFormat.WebP)]
    public void JPEG_and_WebP_carry_the_parameters_as_an_Exif_user_comment(ImageFormat format)
    {
        var file = ImageEncoder.Encode(Image, format, metadata: new(Parameters));
        var exif = format == ImageFormat.Jpeg ? JpegSegment(file, "Exif\0\0") : WebPChunk(file, "EXIF");
        Assert.Equal(Parameters, UserComment(exif!));
        Assert.Null(format == ImageFormat.Jpeg ? JpegSegment(file, XmpName) : WebPChunk(file, "XMP "));
        if (format == ImageFormat.WebP)
            Assert.Equal(0x08, WebPChunk(file, "VP8X")![0]);
    }

    [Theory]
    [InlineData(ImageFormat.Png)]
    [InlineData(ImageFormat.Jpeg)]
    [InlineData(ImageFormat.WebP)]
    public void Every_format_carries_the_mark_of_a_generated_image(ImageFormat format)
    {
        var file = ImageEncoder.Encode(Image, format, metadata: new(IsAiGenerated: true));
        var xmp = format switch
        {
            ImageFormat.Png => PngText(file, "XML:com.adobe.xmp"),
            ImageFormat.Jpeg => JpegSegment(file, XmpName),
            _ => WebPChunk(file, "XMP "),
        };
        var packet = System.Xml.Linq.XDocument.Parse(Encoding.UTF8.GetString(xmp!));
        System.Xml.Linq.XNamespace iptc = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
        Assert.Equal(SourceType, packet.Descendants(iptc + "DigitalSourceType").Single().Value);
    }

    [Theory]
    [InlineData(32_000)]
    [InlineData(40_000)]
    public void A_JPEG_leaves_out_parameters_that_do_not_fit_into_a_segment_and_a_WebP_does_not(int length)
    {
        var metadata = new ImageMetadata(new string('画', length), IsAiGenerated: true);
        var jpeg = ImageEncoder.Encode(Image, ImageFormat.Jpeg, metadata: metadata);
        var exif = JpegSegment(jpeg, "Exif\0\0");
        Assert.Equal(length <= 32_000 ? metadata.Parameters : null, exif is null ? null : UserComment(exif));
        Assert.NotNull(JpegSegment(jpeg, XmpName));
        var webP = ImageEncoder.Encode(Image, ImageFormat.WebP, metadata: metadata);
        Assert.Equal(metadata.Parameters, UserComment(WebPChunk(webP, "EXIF")!));
    }

    [SkippableTheory]
    [InlineData(ImageFormat.Png, "png")]
    [InlineData(ImageFormat.Jpeg, "jpg")]
    [InlineData(ImageFormat.WebP, "webp")]
    public async Task Exiftool_reads_the_parameters_and_the_mark(ImageFormat format, string extension)
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(folder.Path, $"image.{extension}");
        await File.WriteAllBytesAsync(path, ImageEncoder.Encode(Image, format, metadata: new(Parameters, IsAiGenerated: true)));
        var read = await ExiftoolAsync("-j", "-n", "-warning", "-UserComment", "-Parameters", "-DigitalSourceType", path);
        Assert.Equal(Parameters, read.GetProperty(format == ImageFormat.Png ? "Parameters" : "UserComment").GetString());
        Assert.Equal(SourceType, read.GetProperty("DigitalSourceType").GetString());
        Assert.False(read.TryGetProperty("Warning", out var warning), warning.ToString());
    }

    static async Task<JsonElement> ExiftoolAsync(params string[] arguments)
    {
        using var process = StartExiftool(arguments);
        Skip.If(process is null, "There is no exiftool: apt-get install libimage-exiftool-perl.");
        var output = await process!.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return JsonDocument.Parse(output).RootElement[0];
    }

    static Process? StartExiftool(string[] arguments)
    {
        try
        {
            return Process.Start(new ProcessStartInfo("exiftool", arguments) { RedirectStandardOutput = true });
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }

    const string XmpName = "http://ns.adobe.com/xap/1.0/\0";

    /// <summary>The content of the segment APP1 of this name, or null.</summary>
    static byte[]? JpegSegment(byte[] file, string name)
    {
        Assert.Equal([0xFF, 0xD8], file[..2]);
        for (var at = 2; file[at + 1] != 0xDA;) // Up to the scan.
        {
            Assert.Equal(0xFF, file[at]);
            var length = BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(at + 2));
            var content = file[(at + 4)..(at + 2 + length)];
            if (file[at + 1] == 0xE1 && content.AsSpan().StartsWith(Encoding.Latin1.GetBytes(name)))
                return content[name.Length..];
            at += 2 + length;
        }

        return null;
    }

    /// <summary>The content of a chunk, or null. The chunks must fill the file exactly.</summary>
    static byte[]? WebPChunk(byte[] file, string name)
    {
        Assert.Equal(("RIFF", file.Length - 8, "WEBP"),
            (Encoding.Latin1.GetString(file, 0, 4), BitConverter.ToInt32(file, 4), Encoding.Latin1.GetString(file, 8, 4)));
        byte[]? found = null;
        var at = 12;
        while (at < file.Length)
        {
            var length = BitConverter.ToInt32(file, at + 4);
            if (Encoding.Latin1.GetString(file, at, 4) == name)
                found = file[(at + 8)..(at + 8 + length)];
            at += 8 + length + length % 2;
        }

        Assert.Equal(file.Length, at);
        return found;
    }

    /// <summary>The UTF-8 text of an uncompressed iTXt chunk with this keyword, or null.</summary>
    static byte[]? PngText(byte[] file, string keyword)
    {
        for (var at = 8; at < file.Length;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            var content = file[(at + 8)..(at + 8 + length)];
            byte[] head = [.. Encoding.Latin1.GetBytes(keyword), 0, 0, 0, 0, 0];
            if (Encoding.Latin1.GetString(file, at + 4, 4) == "iTXt" && content.AsSpan().StartsWith(head))
                return content[head.Length..];
            at += 12 + length;
        }

        return null;
    }

    /// <summary>The user comment of a big-endian TIFF block.</summary>
    static string UserComment(byte[] tiff)
    {
        Assert.Equal("MM\0*"u8, tiff.AsSpan(0, 4));
        var exif = Find(tiff, (int)UInt32(tiff, 4), 0x8769).Value;
        var (count, at) = Find(tiff, (int)exif, 0x9286);
        var comment = tiff.AsSpan((int)at, (int)count);
        Assert.Equal("UNICODE\0"u8, comment[..8]);
        return Encoding.BigEndianUnicode.GetString(comment[8..]);
    }

    static (uint Count, uint Value) Find(byte[] tiff, int directory, int tag)
    {
        var entries = Enumerable.Range(0, BinaryPrimitives.ReadUInt16BigEndian(tiff.AsSpan(directory))).Select(i => directory + 2 + 12 * i);
        var entry = entries.Single(at => BinaryPrimitives.ReadUInt16BigEndian(tiff.AsSpan(at)) == tag);
        return (UInt32(tiff, entry + 4), UInt32(tiff, entry + 8));
    }

    static uint UInt32(byte[] bytes, int at) => BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at));
}
