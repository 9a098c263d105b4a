using Google.Protobuf;

namespace Muse.Diffusion;

/// <summary>
/// A graph whose attentions, exported as single operations, are one operation each. Their weights stay in the file that it was read from.
/// </summary>
/// <param name="Model">The graph as an ONNX model. ONNX Runtime needs the folder of the file for its weights.</param>
/// <param name="Fused">How many attentions are fused.</param>
/// <param name="Attentions">How many there are: softmaxes between two products of computed values.</param>
/// <param name="Masked">How many of them are not fused because something is added to their scores.</param>
sealed record GraphFusion(byte[] Model, int Fused, int Attentions, int Masked)
{
    const string ContribDomain = "com.microsoft";

    /// <summary>Fuses what is known of a file's graph.</summary>
    /// <returns>Null where there is no attention in it.</returns>
    /// <exception cref="InvalidDataException">The file is no ONNX graph.</exception>
    public static GraphFusion? Of(string path)
    {
        var model = OnnxFile.Read(path);
        var opset = model.OpsetImport.FirstOrDefault(import => import.Domain is "" or "ai.onnx")?.Version ?? 0;
        if (model.Graph is null)
            return null;
        var index = new GraphIndex(model.Graph);
        var attentions = AttentionFusion.Find(index, new StaticShapes(model.Graph), opset);
        if (attentions.Count == 0)
            return null;
        var fused = attentions.Where(attention => attention.CanFuse).ToList();
        var masked = attentions.Count(attention => attention.IsMasked);
        if (fused.Count == 0)
            return new GraphFusion([], 0, attentions.Count, masked);
        foreach (var attention in fused)
            attention.Fuse();
        index.Apply();
        if (model.OpsetImport.All(import => import.Domain != ContribDomain))
            model.OpsetImport.Add(new Onnx.OperatorSetIdProto { Domain = ContribDomain, Version = 1 });
        return new GraphFusion(model.ToByteArray(), fused.Count, attentions.Count, masked);
    }
}
