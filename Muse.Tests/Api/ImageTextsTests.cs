using System.Buffers.Binary;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using CsCheck;
using Muse.Api;
using Muse.Diffusion;

namespace Muse.Tests.Api;

/// <summary>What png-info reads of files.</summary>
public sealed class ImageTextsTests
{
    const string Parameters = "a (red:1.2) cat, 猫 🦊\nNegative prompt: rain,\nfog\n"
        + "Steps: 12, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 18446744073709551615, Size: 8x4, Model: \"a, b\"";

    static readonly RgbImage Image = new(8, 4, new byte[3 * 8 * 4]);

    [Theory]
    [InlineData(ImageFormat.Png)]
    [InlineData(ImageFormat.Jpeg)]
    [InlineData(ImageFormat.WebP)]
    public void Parameters_are_read_from_every_format(ImageFormat format)
    {
        Assert.Equal(Parameters, ImageTexts.ParametersOf(ImageEncoder.Encode(Image, format, metadata: new(Parameters, true))));
        Assert.Equal("plain", ImageTexts.ParametersOf(ImageEncoder.Encode(Image, format, metadata: new("plain"))));
        Assert.Equal("", ImageTexts.ParametersOf(ImageEncoder.Encode(Image, format)));
    }

    [Fact]
    public void An_Exif_block_of_the_other_byte_order_is_read()
    {
        byte[] comment = [.. "UNICODE\0"u8, .. Encoding.Unicode.GetBytes("猫")];
        byte[] tiff = [.. "II*\0"u8, .. Number(8), 1, 0, .. Entry(0x8769, 4, 1, 26), .. Number(0),
            1, 0, .. Entry(0x9286, 7, comment.Length, 44), .. Number(0), .. comment];
        byte[] jpeg = [0xFF, 0xD8, 0xFF, 0xE1, 0, (byte)(tiff.Length + 8), .. "Exif\0\0"u8, .. tiff, 0xFF, 0xD9];
        Assert.Equal("猫", ImageTexts.ParametersOf(jpeg));

        static byte[] Entry(int tag, int type, int count, int value) =>
            [(byte)tag, (byte)(tag >> 8), (byte)type, 0, .. Number(count), .. Number(value)];

        static byte[] Number(int value)
        {
            var bytes = new byte[4];
            BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
            return bytes;
        }
    }

    [Fact]
    public void Any_damage_to_a_file_is_survived()
    {
        var files = ((ImageFormat[])[ImageFormat.Png, ImageFormat.Jpeg, ImageFormat.WebP])
            .Select(format => ImageEncoder.Encode(Image, format, metadata: new(Parameters, true))).ToArray();
        Gen.Select(Gen.Int[0, 2], Gen.Int[0, 1000], Gen.Byte, Gen.Int[0, 1000]).Sample((file, at, value, length) =>
        {
            var broken = files[file].ToArray();
            broken[at % broken.Length] = value;
            ImageTexts.Read(broken);
            ImageTexts.Read(broken.AsSpan(0, length % broken.Length));
        }, iter: 20_000);
    }

    [Fact]
    public void Settings_are_read_as_fields()
    {
        var fields = ImageParametersText.Parse(Parameters);
        Assert.Equal("a (red:1.2) cat, 猫 🦊", fields["Prompt"]);
        Assert.Equal("rain,\nfog", fields["Negative prompt"]);
        Assert.Equal(("12", "DPM++ 2M Karras", "7.5"), (fields["Steps"], fields["Sampler"], fields["CFG scale"]));
        Assert.Equal(("18446744073709551615", "8", "4", "a, b"), (fields["Seed"], fields["Size-1"], fields["Size-2"], fields["Model"]));
        Assert.Equal("a prompt: no more", ImageParametersText.Parse("a prompt: no more")["Prompt"]);
        Assert.Empty(ImageParametersText.Parse(""));
    }

    [SkippableFact]
    public async Task Png_info_gives_the_text_and_its_fields()
    {
        await using var server = await ApiServer.StartAsync(withoutWorker: true);
        var file = Convert.ToBase64String(ImageEncoder.Encode(Image, ImageFormat.Png, metadata: new(Parameters)));
        using var response = await server.Client.PostAsJsonAsync("/sdapi/v1/png-info", new { image = $"data:image/png;base64,{file}" });
        var body = await response.Content.ReadFromJsonAsync<JsonElement>();
        Assert.Equal(Parameters, body.GetProperty("info").GetString());
        Assert.Equal("12", body.GetProperty("parameters").GetProperty("Steps").GetString());
        Assert.Equal(Parameters, body.GetProperty("items").GetProperty("parameters").GetString());
    }
}
