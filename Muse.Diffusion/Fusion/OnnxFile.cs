using Muse.Diffusion.Onnx;

namespace Muse.Diffusion;

/// <summary>
/// Reads an ONNX file's graph without its weights: tensors that lie in the file become external data, which says where in the same file
/// they are. ONNX Runtime maps them into memory from there, so that a changed graph needs no copy of them.
/// </summary>
sealed class OnnxFile
{
    /// <summary>The number of half precision among ONNX' data types.</summary>
    public const int Float16 = 10;

    // Fields of ModelProto, GraphProto and TensorProto.
    const int Graph = 7, Initializer = 5, RawData = 9, ExternalData = 13, DataLocation = 14;
    const int Bytes = 2, Varint = 0, Fixed32 = 5, Fixed64 = 1;

    // ONNX Runtime reads shapes and the like when it loads a graph, and wants those in it.
    const int MinExternalBytes = 1024;

    readonly BinaryReader file;
    readonly string name;

    OnnxFile(BinaryReader file, string name) => (this.file, this.name) = (file, name);

    /// <summary>Reads a file.</summary>
    /// <exception cref="InvalidDataException">It is no protobuf message.</exception>
    public static ModelProto Read(string path)
    {
        using var file = new BinaryReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1 << 16));
        try
        {
            var reader = new OnnxFile(file, Path.GetFileName(path));
            var model = reader.Rewritten(file.BaseStream.Length, (field, end) => field == Graph ? reader.GraphUntil(end) : null);
            return ModelProto.Parser.ParseFrom(model);
        }
        catch (Exception e) when (e is FormatException or EndOfStreamException or Google.Protobuf.InvalidProtocolBufferException)
        {
            throw new InvalidDataException($"{path} is no ONNX file: {e.Message}", e);
        }
    }

    byte[] GraphUntil(long end) => Rewritten(end, (field, tensorEnd) => field == Initializer ? TensorUntil(tensorEnd) : null);

    byte[] TensorUntil(long end)
    {
        (long Offset, long Length)? moved = null;
        return Rewritten(end, (field, dataEnd) =>
        {
            var start = file.BaseStream.Position;
            if (field != RawData || dataEnd - start < MinExternalBytes)
                return null;
            moved = (start, dataEnd - start);
            file.BaseStream.Position = dataEnd;
            return [];
        }, tensor =>
        {
            if (moved is not { } data)
                return;
            foreach (var (key, value) in new[] { ("location", name), ("offset", $"{data.Offset}"), ("length", $"{data.Length}") })
            {
                var entry = new StringStringEntryProto { Key = key, Value = value };
                WriteBytes(tensor, ExternalData, Google.Protobuf.MessageExtensions.ToByteArray(entry));
            }
            tensor.Write7BitEncodedInt64(DataLocation << 3 | Varint);
            tensor.Write7BitEncodedInt64(1);
        });
    }

    // Copies a message's fields up to `end`. `nested` gives the bytes that replace a field of bytes; null keeps it, empty leaves it out.
    byte[] Rewritten(long end, Func<int, long, byte[]?> nested, Action<BinaryWriter>? append = null)
    {
        using var bytes = new MemoryStream();
        using var message = new BinaryWriter(bytes);
        while (file.BaseStream.Position < end)
        {
            var tag = file.Read7BitEncodedInt64();
            var field = (int)(tag >> 3);
            switch (tag & 7)
            {
                case Varint:
                    message.Write7BitEncodedInt64(tag);
                    message.Write7BitEncodedInt64(file.Read7BitEncodedInt64());
                    break;
                case Bytes:
                    var length = file.Read7BitEncodedInt64();
                    if (length < 0 || length > end - file.BaseStream.Position)
                        throw new EndOfStreamException($"A field of {length} bytes goes beyond its message.");
                    var value = nested(field, file.BaseStream.Position + length) ?? file.ReadBytes((int)length);
                    if (value.Length > 0 || length == 0)
                        WriteBytes(message, field, value);
                    break;
                case Fixed32:
                    message.Write7BitEncodedInt64(tag);
                    message.Write(file.ReadUInt32());
                    break;
                case Fixed64:
                    message.Write7BitEncodedInt64(tag);
                    message.Write(file.ReadUInt64());
                    break;
                default:
                    throw new FormatException($"There is no wire type {tag & 7}.");
            }
        }
        append?.Invoke(message);
        message.Flush();
        return bytes.ToArray();
    }

    static void WriteBytes(BinaryWriter message, int field, byte[] value)
    {
        message.Write7BitEncodedInt64(field << 3 | Bytes);
        message.Write7BitEncodedInt64(value.Length);
        message.Write(value);
    }
}
