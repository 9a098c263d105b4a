namespace Muse.Diffusion;

/// <summary>The file formats of images.</summary>
public enum ImageFormat
{
    /// <summary>Lossless; carries the parameters it was made with.</summary>
    Png,
    /// <summary>Lossy, read everywhere.</summary>
    Jpeg,
    /// <summary>Lossy, smaller than JPEG.</summary>
    WebP,
}
