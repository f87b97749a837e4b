//! The countries that there are.

/// The codes of ISO 3166-1 alpha-2 that are assigned, each behind the other.
const CODES: &str = "\
    ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCXCYCZ\
    DEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISIT\
    JEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZ\
    NANCNENFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZ\
    TCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSYEYTZAZMZW";

/// Whether a country has this code, in capitals.
pub(crate) fn is_country(code: &str) -> bool {
    code.len() == 2 && CODES.as_bytes().chunks(2).any(|known| known == code.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes() {
        let codes: Vec<&[u8]> = CODES.as_bytes().chunks(2).collect();
        assert!(codes.len() == 249 && codes.is_sorted(), "{}", codes.len());
        assert!(codes.iter().all(|code| code.iter().all(u8::is_ascii_uppercase)));
        assert!(["AD", "DE", "GB", "US", "ZW"].into_iter().all(is_country));
        // Its code is GB; the others are no country's, or stand across two.
        assert!(["", "D", "UK", "ZZ", "EU", "de", "DAE", "FC"].into_iter().all(|code| !is_country(code)));
    }
}
